%% Answers what file:consult/1 says of the files it is given, for
%% TestDifferential and BenchmarkConsult. It speaks packets of four length bytes over standard
%% input and output.
%%
%%   <<"r", Bytes>>  reads Bytes as a file: <<0, Terms>>, <<1, Message>>, or <<2>>
%%                   if the reader crashes; Terms as appendCanon writes them
%%   <<"t", Rest>>   Rest = <<N:32, Name/binary>>: reads the file Name N times and
%%                   answers with the microseconds it took, in decimal
-module(oracle).
-export([main/1]).

main(Scratch) ->
    loop(open_port({fd, 0, 1}, [binary, {packet, 4}, eof]), Scratch).

loop(Port, Scratch) ->
    receive
        {Port, {data, <<"r", Bytes/binary>>}} ->
            ok = file:write_file(Scratch, Bytes),
            port_command(Port, answer(Scratch)),
            loop(Port, Scratch);
        {Port, {data, <<"t", N:32, Name/binary>>}} ->
            {Micros, _} = timer:tc(fun() -> repeat(N, binary_to_list(Name)) end),
            port_command(Port, integer_to_list(Micros)),
            loop(Port, Scratch);
        {Port, eof} ->
            halt(0)
    end.

repeat(0, _) -> ok;
repeat(N, Name) -> file:consult(Name), repeat(N - 1, Name).

answer(Name) ->
    try file:consult(Name) of
        {ok, Terms} -> [0, [canon(T) || T <- Terms]];
        {error, E} -> [1, unicode:characters_to_binary(file:format_error(E))]
    catch _:_ -> [2]
    end.

text(Kind, Bin) -> [Kind, varint(byte_size(Bin)), Bin].

varint(N) when N < 128 -> N;
varint(N) -> [128 bor (N band 127), varint(N bsr 7)].

atom(A) -> atom_to_binary(A, utf8).

canon(A) when is_atom(A) -> text($a, atom(A));
canon(I) when is_integer(I) -> [$i, integer_to_list(I), $;];
canon(F) when is_float(F) -> [$f, <<F:64/float>>];
canon(L) when is_list(L) -> [$l | list(L)];
canon(T) when is_tuple(T) -> [$t, [canon(E) || E <- tuple_to_list(T)], $.];
canon(M) when is_map(M) ->
    Pairs = [{iolist_to_binary(canon(K)), V} || {K, V} <- maps:to_list(M)],
    [$m, [[K, canon(V)] || {K, V} <- lists:keysort(1, Pairs)], $.];
canon(B) when is_bitstring(B) ->
    Bits = bit_size(B) rem 8,
    Pad = (8 - Bits) rem 8,
    [text($b, <<B/bitstring, 0:Pad>>), Bits];
canon(F) when is_function(F) ->
    {module, M} = erlang:fun_info(F, module),
    {name, N} = erlang:fun_info(F, name),
    {arity, A} = erlang:fun_info(F, arity),
    [text($u, atom(M)), text($:, atom(N)), varint(2 * A)].

list([H | T]) -> [canon(H) | list(T)];
list([]) -> [$|, $.];
list(Tail) -> [$|, canon(Tail), $.].
