package main

import (
	"fmt"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// silent is above every level that is logged.
const silent = zapcore.FatalLevel + 1

// levels are the values of the option loglevel.
var levels = map[string]zapcore.Level{
	"none":     silent,
	"critical": zapcore.DPanicLevel,
	"error":    zapcore.ErrorLevel,
	"warning":  zapcore.WarnLevel,
	"info":     zapcore.InfoLevel,
	"debug":    zapcore.DebugLevel,
}

// newLogger returns a logger to standard error in a format: console or json.
func newLogger(format string, level zap.AtomicLevel) (*zap.Logger, error) {
	enc := zap.NewProductionEncoderConfig()
	enc.EncodeTime = zapcore.ISO8601TimeEncoder
	var encoder zapcore.Encoder
	switch format {
	case "console":
		enc.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(enc)
	case "json":
		encoder = zapcore.NewJSONEncoder(enc)
	default:
		return nil, usageError{fmt.Errorf("--log-format is console or json, not %q", format)}
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stderr), level)), nil
}
