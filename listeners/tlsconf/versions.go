package tlsconf

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"
)

// Versions is a set of TLS versions that are switched off. The zero value has
// all on, from TLS 1.0 to TLS 1.3.
type Versions uint8

// Words of protocol_options that have an effect: the versions they switch off.
// SSL 2 and SSL 3 are not there to be switched off.
var versionWords = map[string]Versions{
	"no_sslv2": 0, "no_sslv3": 0,
	"no_tlsv1": 1 << 0, "no_tlsv1_1": 1 << 1, "no_tlsv1_2": 1 << 2, "no_tlsv1_3": 1 << 3,
}

// ordered is the versions by the bits of Versions.
var ordered = [...]uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13}

// Words that OpenSSL knows and that change nothing here: what they ask for is
// always so (no_compression, no_ticket, single_ecdh_use,
// cipher_server_preference), or works around programs long gone.
var otherWords = []string{
	"all", "allow_unsafe_legacy_renegotiation", "cipher_server_preference", "cisco_anyconnect", "cookie_exchange",
	"cryptopro_tlsext_bug", "dont_insert_empty_fragments", "ephemeral_rsa", "legacy_server_connect",
	"microsoft_big_sslv3_buffer", "microsoft_sess_id_bug", "msie_sslv2_rsa_padding", "netscape_ca_dn_bug",
	"netscape_challenge_bug", "netscape_demo_cipher_change_bug", "netscape_reuse_cipher_change_bug", "no_compression",
	"no_query_mtu", "no_session_resumption_on_renegotiation", "no_ticket", "pkcs1_check_1", "pkcs1_check_2",
	"single_dh_use", "single_ecdh_use", "ssleay_080_client_dh_bug", "sslref2_reuse_cert_type_bug",
	"tls_block_padding_bug", "tls_d5_bug", "tls_rollback_bug",
}

// ParseWords reads the value of protocol_options: words of OpenSSL, one or
// several separated by | in each string. It returns what they switch off, and
// the words that nobody knows, which have no effect.
func ParseWords(options []string) (off Versions, unknown []string) {
	for _, o := range options {
		for w := range strings.SplitSeq(o, "|") {
			w = strings.TrimSpace(w)
			v, ok := versionWords[w]
			switch {
			case ok:
				off |= v
			case w != "" && !slices.Contains(otherWords, w):
				unknown = append(unknown, w)
			}
		}
	}
	return off, unknown
}

// allows tells whether a version is on.
func (v Versions) allows(version uint16) bool {
	i := slices.Index(ordered[:], version)
	return i >= 0 && v&(1<<i) == 0
}

// bounds are the lowest and the highest version that are on, and whether all
// between them are. min is 0 if none is on.
func (v Versions) bounds() (lowest, highest uint16, whole bool) {
	whole = true
	for _, version := range ordered {
		if !v.allows(version) {
			continue
		}
		if lowest == 0 {
			lowest = version
		} else if version != highest+1 {
			whole = false
		}
		highest = version
	}
	return lowest, highest, whole
}

// String lists the versions that are on: "TLS 1.0, TLS 1.2, TLS 1.3".
func (v Versions) String() string {
	var on []string
	for _, version := range ordered {
		if v.allows(version) {
			on = append(on, tls.VersionName(version))
		}
	}
	if len(on) == 0 {
		return "none"
	}
	return strings.Join(on, ", ")
}

// best is the highest version that is on and that the client offers, or 0.
func (v Versions) best(offered []uint16) uint16 {
	for _, version := range slices.Backward(ordered[:]) {
		if v.allows(version) && slices.Contains(offered, version) {
			return version
		}
	}
	return 0
}

// check says whether the options leave nothing.
func (v Versions) check() error {
	if lowest, _, _ := v.bounds(); lowest == 0 {
		return errors.New("protocol_options switch off every version of TLS")
	}
	return nil
}
