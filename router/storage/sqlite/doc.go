// Package sqlite is the embedded database of a server that has no other: one
// SQLite file per virtual host in the data directory, with the tables of
// MongooseIM 2.0.1's SQL schema (pg.sql and mysql.sql there), since most of
// them have no host column. It stands for the Mnesia tables behind the backends
// mnesia and internal.
//
//	db, err := sqlite.Open(ctx, sqlite.Options{Dir: "/var/lib/meerkat/db", Host: "example.org"})
//
// A file has one writing connection and a few reading ones that are opened when
// needed and closed when idle. The log is written ahead (WAL) with synchronous
// NORMAL: after a power failure the last transactions may be missing, but the
// database is whole; a crash of the process loses nothing. A lock file beside
// the database keeps a second server away, so Exclusive holds.
//
// Column names are the reference's. Types are close to PostgreSQL's, with these
// differences: enumerations are char(1) with a CHECK, bytea is blob, serial is
// integer. A table that is read by its primary key and has short rows is stored
// in that order.
//
// It imports router/storage.
package sqlite
