// Package annotate keeps what corr says of every frame: corr.ann.
//
// Takes: tables (points, conversations, findings, log records) and, capture by capture, one Frame after the other.
// Gives: corr.ann, a file that the Wireshark plugin reads page by page, its reader, and the TSV and text outputs that
// say the same of each frame as the plugin does.
//
// Guarantees: the same calls give the same bytes, whatever the number of goroutines (class numbers depend on no
// race: each capture numbers them by first use). Memory is bounded by the number of pages and classes, not of frames.
// The header is written last: a file that was not finished is not taken for a whole one. The reader checks every
// offset and count against the file before it follows them: a damaged or hostile file gives an error, never a panic.
//
// Never: compares times of two captures, decides what became of a frame, or opens a capture.
//
// # Layout
//
// All integers are little-endian; a word is an uint32. A text reference is an index into the strings (0: empty).
// A stamp is two words: the low 32 bits of the floored seconds; and the nanoseconds (30 bits) with the seconds' bits
// 32 and 33, two's complement, above them. Nanoseconds of 2^30-1 mean none. Lua has only doubles until 5.3, so
// no field needs more than 53 bits at once.
//
//	header     64 bytes: "corr.ann", version, header length, stamps of the file: size, offset and length of the directory, its CRC-32
//	records    one block a capture, 32 bytes a frame, by frame number: stamp, length, flow, class, peer, delay, extra
//	pages      per capture, one entry per 1024 records: smallest time of this and later pages, largest of this and
//	           earlier pages, smallest and largest of this one, 1 if its records are in the order of time
//	classes    per capture, 17 words each; lists of text references beside them
//	heap       per capture: words; entries (what few frames have), texts, and kinds of peers: point, stream (none: as the flow
//	           says), 1 if it comes after this point, match, confidence
//	tables     strings, flows, flows at points, findings, logs, clock steps, points
//	directory  sections (offset, count, width) in the order of the section constants
//
// A delay is signed nanoseconds in one word; 0x80000000 means none, 0x80000001 that the heap entry holds it.
// A peer in the heap is its kind, frame and delay; in a list where one's delay takes more, all have a stamp for it.
// extra is the word offset of the frame's heap entry, 0 for none; flow has 2^31 added where that entry names findings.
package annotate
