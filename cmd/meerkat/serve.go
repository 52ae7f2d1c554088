package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"meerkat/cfgterm/diag"
	"meerkat/cmd/node"
	"meerkat/compat"
	"meerkat/listeners/tlsconf"
)

func serveCommand() *cobra.Command {
	var flags configFlags
	var config, data, logFormat string
	var selfSigned bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Start the node",
		Long: "Reads the configuration and serves until it is told to stop (SIGTERM, ^C). Errors in the configuration\n" +
			"are printed as validate prints them, and nothing is started.\n\n" +
			"Relative paths in the file count from the working directory, as they did for MongooseIM.",
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := flags.options()
			if err != nil {
				return err
			}
			path, err := configPath(config)
			if err != nil {
				return err
			}
			level := zap.NewAtomicLevel()
			log, err := newLogger(logFormat, level)
			if err != nil {
				return err
			}
			defer log.Sync()

			started := time.Now()
			if selfSigned {
				if err := makeCertificates(log, path, o); err != nil {
					return err
				}
			}
			cfg, list := compat.Load(path, o)
			if list.HasErrors() {
				if err := printDiagnostics(cmd.ErrOrStderr(), list, cfg.Source); err != nil {
					return err
				}
				return status(statusFailure)
			}
			level.SetLevel(levels[cfg.Node.LogLevel])
			logFiles(log, cfg)
			logFindings(log, list)
			n, err := node.New(cmd.Context(), node.Options{
				Config: cfg, DataDir: data, Log: log, RequireSession: flags.defaults == "source",
			})
			if err != nil {
				return err
			}
			if err := n.Start(); err != nil {
				return err
			}
			log.Info("started", zap.String("version", versionText()), zap.Strings("hosts", cfg.HostNames()),
				zap.String("data", absolute(data)), zap.Duration("took", time.Since(started)))
			<-cmd.Context().Done()
			log.Info("stopping")
			n.Stop()
			log.Info("stopped")
			return nil
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVarP(&config, "config", "c", "", "configuration file (default: $EJABBERD_CONFIG_PATH, or etc/ejabberd.cfg)")
	cmd.Flags().StringVar(&data, "data", "data", "directory for the node's data")
	cmd.Flags().StringVar(&logFormat, "log-format", "console", "console or json")
	cmd.Flags().BoolVar(&selfSigned, "self-signed", false,
		"make certificate files that the configuration names and that do not exist, self-signed: for trying out")
	return cmd
}

// logFiles says which files are in use, so that nobody has to guess.
func logFiles(log *zap.Logger, cfg *compat.Config) {
	for _, f := range cfg.Files {
		log.Info("configuration file", zap.String("path", f.Path), zap.String("sha256", hex.EncodeToString(f.SHA256[:])))
	}
}

// logFindings logs what the file has that does not do what it says: one line each.
// What is left out because this build does not serve it is an error line.
func logFindings(log *zap.Logger, list diag.List) {
	for i := range list {
		d := &list[i]
		fields := []zap.Field{zap.String("code", d.Code), zap.Stringer("at", d.Span)}
		switch {
		case d.Severity == diag.Info:
			log.Debug(d.Summary, fields...)
		case missing(d.Code):
			log.Error(d.Summary, fields...)
		default:
			log.Warn(d.Summary, fields...)
		}
	}
}

// makeCertificates makes the certificate files that a configuration names and that
// do not exist, with a key and a certificate that nobody vouches for.
func makeCertificates(log *zap.Logger, path string, o compat.Options) error {
	o.Readable = func(string) error { return nil }
	cfg, _ := compat.Load(path, o) // what is wrong with it is said when it is loaded in earnest
	for _, file := range node.CertFiles(cfg) {
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("make the folder of %s: %w", file, err)
		}
		if err := tlsconf.WriteSelfSigned(file, cfg.HostNames(), time.Now()); err != nil {
			return err
		}
		log.Warn("made a self-signed certificate: clients will not trust it", zap.String("file", file), zap.Strings("hosts", cfg.HostNames()))
	}
	return nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
