package conn

const serverEnv = "MEERKAT_CONN_BENCH_SERVER"

func benchServer() {}
