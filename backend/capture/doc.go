// Package capture reads capture files, one frame after the other.
//
// It takes a pcap (µs, ns, both byte orders, Kuznetzov's longer records) or pcapng file (both byte orders, any number of
// sections and interfaces, any resolution and offset of time), plain or compressed with gzip, zstd or lz4, from a file,
// a pipe or standard input. Contents decide what a file is, its name never does.
//
// It gives frames in the order of the file, numbered as Wireshark numbers them, with their time in whole nanoseconds,
// computed in integers.
//
// It guarantees memory that doesn't grow with the file: one buffer of 256 KiB, more only for a frame larger than that.
// Reading a frame allocates nothing. Every frame in front of a cut or damaged place is given, then a *TruncatedError
// says where the place is; what comes behind it is never guessed at.
//
// It never looks inside frames, sorts them or corrects their times.
package capture
