package compat

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
)

// readLines decodes a file of one JSON value a line.
func readLines[T any](t *testing.T, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []T
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var v T
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, v)
	}
	return all
}

// files is a file system of a test: text by path.
type files map[string]string

func (f files) options(o Options) Options {
	o.Dir = "/cfg"
	o.ReadFile = func(path string) ([]byte, error) {
		if text, ok := f[strings.TrimPrefix(path, "/cfg/")]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}
	o.Readable = func(path string) error {
		if _, ok := f[strings.TrimPrefix(path, "/cfg/")]; ok {
			return nil
		}
		return os.ErrNotExist
	}
	o.Now = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	return o
}

// load reads text as main file.
func load(text string, more files, o Options) (*Config, diag.List) {
	f := files{"ejabberd.cfg": text}
	for k, v := range more {
		f[k] = v
	}
	return Load("ejabberd.cfg", f.options(o))
}

// pems are the certificates that the recorded files name.
var pems = files{
	"priv/ssl/fake_server.pem": testPEM, "priv/ssl/fake_cert.pem": testPEM, "priv/ssl/fake_key.pem": testPEM,
}

type goldenCase struct {
	ID     string            `json:"id"`
	Cfg    string            `json:"cfg"`
	Files  map[string]string `json:"files"`
	Expect struct {
		Outcome string      `json:"outcome"`
		Error   string      `json:"error"`
		Shared  [][2]string `json:"shared"`
		Local   [][2]string `json:"local"`
		ACL     [][2]string `json:"acl"`
		Modules [][2]string `json:"modules"`
		TCP     []string    `json:"tcp"`
		UDP     []string    `json:"udp"`
		Level   *string     `json:"loglevel"`
	} `json:"expect"`
}

// otherVerdict are the cases in which Meerkat judges otherwise than the recorded
// node, with the reason.
var otherVerdict = map[string]string{
	"listen-opt-ip-string":        "accepted: an address in quotes is taken",
	"listen-udp":                  "refused: no listener serves udp, the port would be dead",
	"listen-c2s-tls-no-cert":      "refused: every connection would be closed",
	"listen-service-no-password":  "refused: every component would be refused",
	"top-language-binary":         "accepted: text may be a binary everywhere",
	"top-sm-redis-none":           "accepted: sessions are kept in memory, no Redis server is asked",
	"top-s2s-starttls-bad":        "refused: every connection between servers would fail",
	"top-routing-modules":         "refused: there is no such module",
	"hosts-duplicate":             "refused: everything of the host would be started twice",
	"macro-improper":              "accepted: macros are replaced in the tail too",
	"include-atom-filter":         "accepted: the atom itself is compared",
	"hostconfig-unknown":          "refused: the host is not served",
	"acl-unicode":                 "accepted: text above U+00FF works",
	"shaper-number":               "refused: whoever is shaped would be disconnected",
	"shaper-string":               "refused: whoever is shaped would be disconnected",
	"module-offline-odbc":         "refused: the host has no SQL database",
	"module-pubsub-string-plugin": "accepted: the module is left out",
	"module-admin-extra-bad":      "accepted: the module is left out",
}

func TestGoldenCases(t *testing.T) {
	agree := 0
	cases := readLines[goldenCase](t, "../testdata/config/cases.jsonl")
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			more := files{}
			for k, v := range pems {
				more[k] = v
			}
			for k, v := range c.Files {
				more[k] = v
			}
			cfg, ds := load(c.Cfg, more, Options{Builtins: allBuiltins(), AllowMissing: missingModulesOnly(c.ID)})
			starts := !ds.HasErrors()
			want := c.Expect.Outcome == "starts"
			_, other := otherVerdict[c.ID]
			if (starts == want) == other {
				t.Errorf("2.0.1: %s (%s); here: %v\n%s", c.Expect.Outcome, c.Expect.Error, ds.Err(), c.Cfg)
			}
			if starts == want {
				agree++
			}
			if starts && want {
				compareStored(t, &c, cfg)
			}
		})
	}
	t.Logf("%d of %d verdicts agree", agree, len(cases))
}

// missingModulesOnly says for which cases modules may be missing: those about a
// module that exists in 2.0.1. What 2.0.1 does not have is an error in both.
func missingModulesOnly(id string) bool {
	return strings.HasPrefix(id, "module-") && !slices.Contains([]string{"module-old-announce", "module-shared-roster"}, id) ||
		id == "hostconfig-add"
}

func mustParse(t *testing.T, s string) cfgterm.Term {
	t.Helper()
	term, err := cfgterm.ParseTerm(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return term
}

// sameOptions compares lists of options without regard to their order.
func sameOptions(a, b cfgterm.Term) bool {
	x, ok1 := cfgterm.Items(a)
	y, ok2 := cfgterm.Items(b)
	if !ok1 || !ok2 {
		return cfgterm.Equal(a, b)
	}
	if len(x) != len(y) {
		return false
	}
	for _, e := range x {
		if !slices.ContainsFunc(y, func(f cfgterm.Term) bool { return cfgterm.Equal(e, f) }) {
			return false
		}
	}
	return true
}

func compareStored(t *testing.T, c *goldenCase, cfg *Config) {
	t.Helper()
	same := true
	for table, want := range map[string][][2]string{
		"shared": c.Expect.Shared, "local": c.Expect.Local, "acl": c.Expect.ACL, "modules": c.Expect.Modules,
	} {
		var got []stored
		for _, s := range cfg.stored {
			if s.table == table {
				got = append(got, s)
			}
		}
		for _, w := range want {
			key, value := mustParse(t, w[0]), mustParse(t, w[1])
			i := slices.IndexFunc(got, func(s stored) bool {
				return cfgterm.Equal(s.key, key) && (cfgterm.Equal(s.value, value) || table == "modules" && sameOptions(s.value, value))
			})
			if i < 0 {
				same = false
				if otherStored[c.ID] == "" {
					t.Errorf("%s lacks %s = %s; it has %s", table, w[0], w[1], showStored(got))
				}
				continue
			}
			got = slices.Delete(got, i, i+1)
		}
		for _, s := range got {
			same = false
			if otherStored[c.ID] == "" {
				t.Errorf("%s has %s too", table, showStored([]stored{s}))
			}
		}
	}
	if same && otherStored[c.ID] != "" {
		t.Errorf("what is stored does not differ")
	}
	var tcp, udp []string
	for _, l := range cfg.Listeners {
		at := fmt.Sprintf("{%s,%d}", strings.ReplaceAll(cfgterm.Format(addressTerm(l.Addr.Addr())), " ", ""), l.Addr.Port())
		if l.Proto == "udp" {
			udp = append(udp, at)
		} else {
			tcp = append(tcp, at)
		}
	}
	if c.Expect.TCP != nil && !slices.Equal(tcp, c.Expect.TCP) && len(tcp)+len(c.Expect.TCP) > 0 {
		t.Errorf("listening on %v, want %v", tcp, c.Expect.TCP)
	}
	if !slices.Equal(udp, c.Expect.UDP) && len(udp)+len(c.Expect.UDP) > 0 {
		t.Errorf("udp on %v, want %v", udp, c.Expect.UDP)
	}
	if c.Expect.Level != nil {
		if _, level, _ := strings.Cut(*c.Expect.Level, ","); level != cfg.Node.LogLevel {
			t.Errorf("loglevel %s, want %s", cfg.Node.LogLevel, level)
		}
	}
}

// otherStored are the cases in which what is stored differs, with the reason.
var otherStored = map[string]string{
	"hostconfig-caps":    "the host of host_config is prepared",
	"hostconfig-host":    "host in host_config is dropped",
	"acl-latin":          "text above U+007F works",
	"module-twice":       "2.0.1 wrote the list again when it started the modules",
	"module-atom-option": "2.0.1 wrote the list again when it started the modules",
	"module-adhoc":       "2.0.1 wrote the list again when it started the modules",
}

func showStored(ss []stored) string {
	var b strings.Builder
	for _, s := range ss {
		fmt.Fprintf(&b, "%s = %s; ", cfgterm.Format(s.key), cfgterm.Format(s.value))
	}
	return b.String()
}

// onlyMissing reports whether all errors are about what this build lacks.
func onlyMissing(ds diag.List) bool {
	for _, d := range ds {
		if d.Severity == diag.Error && !strings.HasPrefix(d.Code, "BLD") {
			return false
		}
	}
	return ds.HasErrors()
}

type clauseRow struct {
	Listen  *string  `json:"listen"`
	Terms   *string  `json:"terms"`
	Modules string   `json:"modules"`
	Result  string   `json:"result"`
	Ports   []string `json:"ports"`
	Why     string   `json:"why"`
	Meerkat *struct {
		Result string   `json:"result"`
		Ports  []string `json:"ports"`
	} `json:"meerkat"`
}

// otherClause are the rows that loading cannot decide or judges otherwise.
var otherClause = map[string]string{
	`{{5222, "10.1.2.3"}, ejabberd_c2s, []}`: "whether the machine has the address shows when it listens",
}

func TestListenClauses(t *testing.T) {
	agree := 0
	rows := readLines[clauseRow](t, "../testdata/config/listen_clauses.jsonl")
	for _, row := range rows {
		text := "{hosts, [\"localhost\"]}.\n{sm_backend, {mnesia, []}}.\n{auth_method, internal}.\n" +
			"{access, c2s, [{allow, all}]}.\n{access, c2s_shaper, [{normal, all}]}.\n{shaper, normal, {maxrate, 1000}}.\n"
		name := ""
		if row.Listen != nil {
			name = *row.Listen
			text += "{listen, [" + name + "]}.\n"
		} else {
			name = *row.Terms
			text += name + "\n"
		}
		text += "{modules, [{mod_bosh, []}" + map[bool]string{true: ", " + row.Modules}[row.Modules != ""] + "]}.\n"
		result, ports := row.Result, row.Ports
		if row.Meerkat != nil {
			result = row.Meerkat.Result
			if row.Meerkat.Ports != nil {
				ports = row.Meerkat.Ports
			}
		}
		cfg, ds := load(text, pems, Options{Builtins: allBuiltins()})
		if onlyMissing(ds) {
			cfg, ds = load(text, pems, Options{Builtins: allBuiltins(), AllowMissing: true})
		}
		started := !ds.HasErrors()
		_, other := otherClause[name]
		if (started == (result == "started")) == other {
			t.Errorf("%s: want %s (%s), got %v", name, result, row.Why, ds.Err())
			continue
		}
		agree++
		if !started {
			continue
		}
		var got []string
		for _, l := range cfg.Listeners {
			p := l.Proto
			if p == "ws" || p == "wss" {
				p = "tcp"
			}
			got = append(got, p+" "+strings.Replace(l.Addr.String(), "[::]", "*", 1))
		}
		for i, p := range ports {
			// An IPv6 listener beside one of IPv4 with the same port is bound for IPv6
			// only, which is the listeners' business.
			ports[i] = strings.Replace(p, "[::]", "*", 1)
		}
		slices.Sort(got)
		slices.Sort(ports)
		if !slices.Equal(got, ports) && !other {
			t.Errorf("%s: listens on %v, want %v", name, got, ports)
		}
	}
	t.Logf("%d of %d rows agree", agree, len(rows))
}

// sharedDir is the folder of the reference material, which is not part of the
// repository.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MEERKAT_SHARED")
	if dir == "" {
		dir = "../../shared"
	}
	if _, err := os.Stat(filepath.Join(dir, "corpus")); err != nil {
		t.Skip("no corpus of real files: set MEERKAT_SHARED")
	}
	return dir
}

// loadCodes are the errors that 2.0.1 met while it loaded the file. Later errors kept
// the node from starting.
var loadCodes = []string{
	"SYN", "FMT", "TPL", "INC001", "INC005", "MAC001", "MAC002", "MAC004", "HST002", "HST003", "HST006", "TRM001", "TRM007",
	"HC006", "ACL008", "LSN001", "LSN002", "LSN007",
}

type corpusVerdict struct {
	File    string                    `json:"file"`
	Verdict string                    `json:"verdict"`
	Error   string                    `json:"error"`
	Hosts   string                    `json:"hosts"`
	ACLs    int                       `json:"acl_entries"`
	Keys    int                       `json:"keys"`
	Listen  [][2]string               `json:"listeners"`
	With    *struct{ Verdict string } `json:"with_certificates"`
}

func TestCorpus(t *testing.T) {
	dir := sharedDir(t)
	agree := 0
	rows := readLines[corpusVerdict](t, filepath.Join(dir, "golden/config/corpus_verdicts.jsonl"))
	for _, row := range rows {
		t.Run(row.File, func(t *testing.T) {
			o := Options{Builtins: allBuiltins(), Dir: filepath.Join(dir, "corpus")}
			o.Readable = func(path string) error {
				if strings.Contains(path, "priv/ssl/fake_") {
					return nil
				}
				return readable(path)
			}
			cfg, ds := Load(filepath.Join(dir, "corpus", row.File), o)
			verdict := "accepted"
			for _, d := range ds {
				if d.Severity == diag.Error && (d.Code == "FIL001" && (strings.Contains(d.Summary, "s2s_certfile") || strings.Contains(d.Summary, "domain_certfile")) ||
					slices.ContainsFunc(loadCodes, func(c string) bool { return strings.HasPrefix(d.Code, c) })) {
					verdict = "refused"
				}
			}
			if verdict != row.Verdict {
				t.Errorf("2.0.1: %s (%s), here %s: %v", row.Verdict, row.Error, verdict, ds.Err())
				return
			}
			agree++
			if verdict == "accepted" {
				compareCorpus(t, &row, cfg, ds)
			}
		})
	}
	t.Logf("%d of %d verdicts agree", agree, len(rows))
}

func compareCorpus(t *testing.T, row *corpusVerdict, cfg *Config, ds diag.List) {
	t.Helper()
	acls, keys := 0, 0
	var listen *stored
	var hosts cfgterm.Term
	for i, s := range cfg.stored {
		switch s.table {
		case "acl":
			acls++
		case "shared", "local":
			keys++
		}
		switch {
		case cfgterm.IsAtom(s.key, "listen"):
			listen = &cfg.stored[i]
		case cfgterm.IsAtom(s.key, "hosts"):
			hosts = s.value
		}
	}
	if row.Hosts != "" && (hosts == nil || !cfgterm.Equal(hosts, mustParse(t, row.Hosts))) {
		t.Errorf("hosts %v, want %s", hosts, row.Hosts)
	}
	if acls != row.ACLs {
		t.Errorf("%d ACL entries, want %d", acls, row.ACLs)
	}
	// Options for a host that is not served, as in a fragment that lists no hosts, are
	// an error here and not stored.
	strangers := len(cfg.Hosts) == 0 || slices.ContainsFunc(ds, func(d diag.Diagnostic) bool { return d.Code == "HC001" })
	if keys != row.Keys && !strangers {
		t.Errorf("%d keys, want %d", keys, row.Keys)
	}
	var got [][2]string
	if listen != nil {
		entries, _ := cfgterm.Items(listen.value)
		for _, e := range entries {
			elems, _ := cfgterm.TupleOf(e, 3)
			at, _ := cfgterm.TupleOf(elems[0], 3)
			var parts []string
			for _, p := range at {
				parts = append(parts, strings.ReplaceAll(cfgterm.Format(p), " ", ""))
			}
			got = append(got, [2]string{strings.Join(parts, ","), cfgterm.Format(elems[1])})
		}
	}
	if !slices.Equal(got, row.Listen) && len(got)+len(row.Listen) > 0 {
		t.Errorf("listeners %v, want %v", got, row.Listen)
	}
}
