package scenario

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// scramFinal answers the server's first SCRAM-SHA-1 message (RFC 5802) for the
// client-first message "n,,n=USER,r=CNONCE". It returns the client's final
// message and what the server must answer.
func scramFinal(user, password, cnonce, first string) (final, verifier string, err error) {
	attrs := map[byte]string{}
	for _, f := range strings.Split(first, ",") {
		if len(f) > 1 && f[1] == '=' {
			attrs[f[0]] = f[2:]
		}
	}
	salt, err := base64.StdEncoding.DecodeString(attrs['s'])
	if err != nil {
		return "", "", fmt.Errorf("salt of %q: %w", first, err)
	}
	rounds, err := strconv.Atoi(attrs['i'])
	if err != nil || rounds < 1 || rounds > 1<<20 {
		return "", "", fmt.Errorf("iteration count of %q", first)
	}
	salted, err := pbkdf2.Key(sha1.New, password, salt, rounds, sha1.Size)
	if err != nil {
		return "", "", err
	}
	bare := "c=biws,r=" + attrs['r']
	message := "n=" + user + ",r=" + cnonce + "," + first + "," + bare
	key := mac(salted, "Client Key")
	stored := sha1.Sum(key)
	proof := mac(stored[:], message)
	for i := range proof {
		proof[i] ^= key[i]
	}
	b64 := base64.StdEncoding.EncodeToString
	return bare + ",p=" + b64(proof), "v=" + b64(mac(mac(salted, "Server Key"), message)), nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha1.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

var digestNonce = regexp.MustCompile(`nonce="([^"]*)"`)

// digestMD5 answers a DIGEST-MD5 challenge (RFC 2831) without a realm, with a
// fixed client nonce. It returns the response and what the server must answer.
func digestMD5(user, password, host, challenge string) (response, rspauth string, err error) {
	m := digestNonce.FindStringSubmatch(challenge)
	if m == nil {
		return "", "", fmt.Errorf("no nonce in %q", challenge)
	}
	const cnonce = "c1c2c3"
	nonce, uri := m[1], "xmpp/"+host
	secret := md5.Sum([]byte(user + "::" + password))
	a1 := md5hex(string(secret[:]) + ":" + nonce + ":" + cnonce)
	answer := func(method string) string {
		return md5hex(a1 + ":" + nonce + ":00000001:" + cnonce + ":auth:" + md5hex(method+":"+uri))
	}
	return fmt.Sprintf(`username="%s",nonce="%s",cnonce="%s",nc=00000001,qop=auth,digest-uri="%s",response=%s,charset=utf-8`,
		user, nonce, cnonce, uri, answer("AUTHENTICATE")), "rspauth=" + answer(""), nil
}

func md5hex(s string) string {
	h := md5.Sum([]byte(s))
	return hex.EncodeToString(h[:])
}
