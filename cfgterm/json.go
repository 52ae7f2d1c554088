package cfgterm

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
)

// AppendJSON appends t to dst in the encoding that keeps every Erlang term
// apart from every other:
//
//	integer      {"int":"-12"}           any size, in decimal
//	float        {"float":"1.5"}         the shortest text that reads back
//	atom         {"atom":"name"}
//	string       {"str":"text"}          a non-empty list of printable code points
//	other list   {"list":[...]}          improper: with "tail":T
//	tuple        {"tuple":[...]}
//	binary       {"bin":"616263"}        hexadecimal
//	bit string   {"bits":"a0","size":3}  padded with zeros at the end
//	map          {"map":[[K,V],...]}     in Erlang's order of the keys
//	fun          {"fun":["module","function",arity]}
//
// A string and the list of its code points are the same term and give the same
// text.
func AppendJSON(dst []byte, t Term) []byte {
	list := func(key string, elems []Term) {
		dst = append(dst, `{"`...)
		dst = append(dst, key...)
		dst = append(dst, `":[`...)
		for i, e := range elems {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, e)
		}
		dst = append(dst, ']')
	}
	switch t := t.(type) {
	case *Int:
		dst = append(dst, `{"int":"`...)
		dst = appendInt(dst, t)
		return append(dst, `"}`...)
	case *Float:
		dst = append(dst, `{"float":"`...)
		dst = appendFloat(dst, t.F)
		return append(dst, `"}`...)
	case *Atom:
		dst = append(dst, `{"atom":`...)
		dst = appendJSONText(dst, t.Name)
		return append(dst, '}')
	case *String:
		for _, r := range t.Text {
			if !printable(int64(r)) {
				elems, _ := Items(t)
				list("list", elems)
				return append(dst, '}')
			}
		}
		if t.Text == "" {
			return append(dst, `{"list":[]}`...)
		}
		dst = append(dst, `{"str":`...)
		dst = appendJSONText(dst, t.Text)
		return append(dst, '}')
	case *List:
		if text, ok := asString(t); ok {
			dst = append(dst, `{"str":`...)
			dst = appendJSONText(dst, text)
			return append(dst, '}')
		}
		list("list", t.Elems)
		if t.Tail != nil {
			dst = append(dst, `,"tail":`...)
			dst = AppendJSON(dst, t.Tail)
		}
		return append(dst, '}')
	case *Tuple:
		list("tuple", t.Elems)
		return append(dst, '}')
	case *Binary:
		if t.Bits == 0 {
			dst = append(dst, `{"bin":"`...)
			dst = hex.AppendEncode(dst, t.Bytes)
			return append(dst, `"}`...)
		}
		dst = append(dst, `{"bits":"`...)
		dst = hex.AppendEncode(dst, t.Bytes)
		dst = append(dst, `","size":`...)
		dst = strconv.AppendInt(dst, int64(bitLen(t)), 10)
		return append(dst, '}')
	case *Map:
		dst = append(dst, `{"map":[`...)
		for i, p := range sortedPairs(t) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, '[')
			dst = AppendJSON(dst, p.Key)
			dst = append(dst, ',')
			dst = AppendJSON(dst, p.Value)
			dst = append(dst, ']')
		}
		return append(dst, `]}`...)
	case *Fun:
		dst = append(dst, `{"fun":[`...)
		dst = appendJSONText(dst, t.Module)
		dst = append(dst, ',')
		dst = appendJSONText(dst, t.Function)
		dst = append(dst, ',')
		dst = strconv.AppendInt(dst, t.Arity, 10)
		return append(dst, `]}`...)
	}
	return append(dst, "null"...)
}

// appendJSONText appends s as a JSON string. Marks such as < stay as they are.
func appendJSONText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7F || c == '"' || c == '\\' {
			b, err := json.Marshal(s)
			if err != nil { // cannot happen: a string always has a JSON form
				return append(dst, `""`...)
			}
			return append(dst, b...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
