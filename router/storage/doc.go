// Package storage is the SQL layer under every store of the server: one
// database/sql handle pair (one side for writing, one for reading) with cached
// prepared statements, deadlines, bounded queues, transactions that are run
// again when the database is busy, and the few statements that SQL has no
// portable form for. It replaces ejabberd_odbc and mongoose_rdbms of
// MongooseIM 2.0.1; the tables are the reference's own (its priv/*.sql), so a
// store's statements serve an embedded and a server database alike.
//
// Statements are written with "?" for parameters; the dialect turns them into
// its own form once, when the statement is prepared. Text is never put together
// from values. A store is written against Querier, so that it works inside and
// outside a transaction:
//
//	var version string
//	found, err := db.Row(ctx, "SELECT version FROM roster_version WHERE username = ?",
//		[]any{user}, storage.OrZero(&version))
//
//	err := db.Tx(ctx, func(tx *storage.Tx) error {
//		if _, err := tx.Exec(ctx, "DELETE FROM rostergroups WHERE username = ? AND jid = ?", user, jid); err != nil {
//			return err
//		}
//		return tx.InsertRows(ctx, "rostergroups", []string{"username", "jid", "grp"}, rows)
//	})
//
// Deviations from the reference: a statement that waits for a connection fails
// after its deadline (the reference queued for ever unless max_fsm_queue was
// set), and the two sides of the pool are apart, because SQLite has one writer.
//
// It imports no package of Meerkat.
package storage
