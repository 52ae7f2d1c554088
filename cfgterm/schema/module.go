package schema

// IQDiscOption is the option iqdisc, which most modules have.
func IQDiscOption[T any](def string, at func(*T) *IQDisc) Option[T] {
	return Option[T]{
		Name: "iqdisc", Value: Field(IQDiscipline(), at),
		Default: def, Example: "{queues, 4}",
		Doc: "How requests are processed: no_queue by the connection that brings them, one_queue one after the " +
			"other for the whole host, {queues, N} in N such queues, parallel all at once. Replies to one client " +
			"keep the order of its requests only with no_queue and one_queue.",
		Since: "1.2.2", TOML: "iqdisc.type", Effect: OnReload, Bad: Ignored,
	}
}

// BackendOption is the option backend of a module that stores data. mnesia is the
// embedded store here.
func BackendOption[T any](at func(*T) *string) Option[T] {
	return Option[T]{
		Name: "backend", Value: Field(Serve(Enum("mnesia", "odbc", "riak"), "mnesia"), at),
		Default: "mnesia", Example: "mnesia",
		Doc: "Where the module keeps its data: mnesia is the embedded store in the data directory (2.0.1: the " +
			"Mnesia database), odbc the SQL database of the host (odbc_server), riak a Riak cluster.",
		Since: "1.2.2", TOML: "backend", Effect: AtStart, Bad: Refused,
	}
}
