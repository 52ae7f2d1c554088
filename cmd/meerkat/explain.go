package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"meerkat/cfgterm"
	"meerkat/cfgterm/diag"
	"meerkat/cfgterm/schema"
	"meerkat/cmd/node"
	"meerkat/compat"
)

func explainCommand() *cobra.Command {
	var flags configFlags
	var config string
	cmd := &cobra.Command{
		Use:   "explain [NAME...]",
		Short: "Tell about options and diagnostics, or their values in a file",
		Long: "Prints the documentation of options, of what has options, and of the codes of diagnostics:\n\n" +
			"  meerkat explain max_stanza_size           wherever there is such an option\n" +
			"  meerkat explain ejabberd_c2s.access       one option of one thing\n" +
			"  meerkat explain ejabberd_c2s mod_ping     all options of it\n" +
			"  meerkat explain SYN008                    a diagnostic\n\n" +
			"With --config it prints the values that count in that file and where each comes from; without a name,\n" +
			"all of them. Without anything it lists what can be asked for.",
		RunE: func(cmd *cobra.Command, names []string) error {
			e := &explainer{out: cmd.OutOrStdout(), sections: compat.Sections(node.Builtins())}
			if config == "" {
				if len(names) == 0 {
					e.overview()
					return nil
				}
				return e.explainAll(names)
			}
			o, err := flags.options()
			if err != nil {
				return err
			}
			cfg, list := compat.Load(config, o)
			if list.HasErrors() {
				if err := printDiagnostics(cmd.ErrOrStderr(), list, cfg.Source); err != nil {
					return err
				}
				fmt.Fprintln(cmd.ErrOrStderr(), "\nThe file has errors: the values below are those of what could be read.")
			}
			return e.values(cfg, names)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVarP(&config, "config", "c", "", "print the values in this configuration file")
	return cmd
}

// explainer prints what the tables know.
type explainer struct {
	out      io.Writer
	sections []schema.Section
}

// overview lists everything that has options.
func (e *explainer) overview() {
	fmt.Fprintln(e.out, "Ask for an option, for one of the following, or for the code of a diagnostic.")
	for _, s := range e.sections {
		fmt.Fprintf(e.out, "\n%s:\n", s.Title)
		for _, t := range s.Tables {
			fmt.Fprintf(e.out, "  %-36s %s\n", t.TableName(), firstSentence(t.Describe()))
		}
	}
}

func firstSentence(s string) string {
	s, _, _ = strings.Cut(s, ". ")
	return strings.TrimSuffix(s, ".")
}

// explainAll explains names. Those that nothing has are reported at the end.
func (e *explainer) explainAll(names []string) error {
	var unknown []string
	for i, name := range names {
		if i > 0 {
			fmt.Fprintln(e.out)
		}
		if !e.explain(name) {
			unknown = append(unknown, name)
			msg := "there is no option, module or code " + name
			if near := schema.Nearest(name, e.known()); near != "" {
				msg += "; the nearest name is " + near
			}
			fmt.Fprintln(e.out, msg)
		}
	}
	if unknown != nil {
		return status(statusFailure)
	}
	return nil
}

// explain prints everything that has this name.
func (e *explainer) explain(name string) (found bool) {
	for _, c := range append(cfgterm.Codes(), compat.Codes()...) {
		if strings.EqualFold(c.Code, name) {
			e.code(c)
			return true
		}
	}
	owner, option, dotted := strings.Cut(name, ".")
	for _, s := range e.sections {
		for _, t := range s.Tables {
			switch {
			case t.TableName() == name:
				e.table(t)
				found = true
			case dotted && t.TableName() == owner:
				if text, ok := schema.Explain(t, option); ok {
					e.text(&found, text)
				}
			default:
				if text, ok := schema.Explain(t, name); ok {
					e.text(&found, text)
				}
			}
		}
	}
	return found
}

func (e *explainer) text(found *bool, text string) {
	if *found {
		fmt.Fprintln(e.out)
	}
	*found = true
	fmt.Fprint(e.out, text)
}

// code prints what is known of a code.
func (e *explainer) code(c diag.Code) {
	fmt.Fprintf(e.out, "%s (%s): %s\n\n%s\n", c.Code, c.Severity, c.Title, strings.TrimSpace(c.Text))
	if c.Example != "" {
		fmt.Fprintf(e.out, "\nFor example:\n\n%s\n", indent(c.Example))
	}
	if c.Fix != "" {
		fmt.Fprintf(e.out, "\nWrite instead:\n\n%s\n", indent(c.Fix))
	}
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ")
}

// table prints what has options, and these in a line each.
func (e *explainer) table(t schema.Schema) {
	fmt.Fprintf(e.out, "%s (%s)\n\n%s\n", t.TableName(), t.TableKind(), indent(t.Describe()))
	if len(t.Entries()) == 0 {
		fmt.Fprintln(e.out, "\nIt has no options.")
		return
	}
	fmt.Fprintln(e.out, "\nOptions:")
	width := 0
	for _, en := range t.Entries() {
		width = max(width, utf8.RuneCountInString(en.Name))
	}
	for _, en := range t.Entries() {
		fmt.Fprintf(e.out, "  %-*s  %s\n", width, en.Name, firstSentence(en.Doc))
	}
	fmt.Fprintf(e.out, "\n\"meerkat explain %s.OPTION\" tells more.\n", t.TableName())
}

// known lists all names, for the nearest one.
func (e *explainer) known() (names []string) {
	for _, s := range e.sections {
		for _, t := range s.Tables {
			names = append(names, t.TableName())
			for _, en := range t.Entries() {
				names = append(append(names, en.Name), en.Synonyms...)
			}
		}
	}
	return names
}

// A place is one list of options of a configuration.
type place struct {
	table, title string
	origins      []schema.Origin
}

// places are all lists of options of a configuration.
func places(cfg *compat.Config) []place {
	list := []place{{"", "node", cfg.NodeOrigins}}
	for i := range cfg.Listeners {
		l := &cfg.Listeners[i]
		list = append(list, place{l.Module, fmt.Sprintf("%s on %s (%s)", l.Module, l.Addr, l.Origin()), l.Origins})
	}
	for i := range cfg.Hosts {
		h := &cfg.Hosts[i]
		list = append(list, place{"", "host " + h.Name, h.Origins})
		for j := range h.Modules {
			m := &h.Modules[j]
			list = append(list, place{m.Name, fmt.Sprintf("%s of host %s", m.Name, h.Name), m.Origins})
		}
	}
	return list
}

// values prints the values of options in a configuration: those with one of the
// names, or all.
func (e *explainer) values(cfg *compat.Config, names []string) error {
	all := places(cfg)
	seen := map[string]bool{}
	first := true
	for _, p := range all {
		title := true
		for _, o := range p.origins {
			if len(names) > 0 && !asked(p, o.Option, names, seen) {
				continue
			}
			if title {
				if !first {
					fmt.Fprintln(e.out)
				}
				fmt.Fprintf(e.out, "%s\n", p.title)
				first, title = false, false
			}
			e.origin(o, "  ")
		}
	}
	missing := false
	for _, n := range names {
		if !seen[n] {
			missing = true
			fmt.Fprintf(e.out, "%s: the configuration has nothing of this name\n", n)
		}
	}
	if missing {
		return status(statusFailure)
	}
	return nil
}

// asked reports whether an option of a place is among the names, and notes which.
func asked(p place, option string, names []string, seen map[string]bool) (yes bool) {
	for _, n := range names {
		if n == option || n == p.table || n == p.table+"."+option {
			seen[n] = true
			yes = true
		}
	}
	return yes
}

// origin prints one value and where it comes from.
func (e *explainer) origin(o schema.Origin, indent string) {
	value := o.Value
	if value == "" {
		value = "not set"
	}
	from := o.From.String()
	if o.From == schema.FromFile || o.From == schema.FromTop {
		from = o.Span.String()
	}
	if value == "not set" && o.From == schema.FromNothing {
		from = ""
	} else {
		from = "   (" + from + ")"
	}
	fmt.Fprintf(e.out, "%s%-28s %s%s\n", indent, o.Option, value, from)
}
