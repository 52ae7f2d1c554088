//go:build unix && !linux

package conn

const fionread = 0x4004667f // _IOR('f', 127, int), which x/sys leaves out
