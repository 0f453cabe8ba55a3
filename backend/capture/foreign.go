package capture

import (
	"bytes"
	"fmt"
)

// foreign lists formats that analysts take for captures, and what to do about them.
var foreign = []struct{ magic, text string }{
	{"GMBU", "is a Microsoft Network Monitor file; convert it: editcap -F pcapng FILE FILE.pcapng"},
	{"RTSS", "is a Microsoft Network Monitor 1 file; convert it: editcap -F pcapng FILE FILE.pcapng"},
	{"snoop\x00\x00\x00", "is a snoop file; convert it: editcap -F pcapng FILE FILE.pcapng"},
	{"TRSNIFF data", "is a Sniffer file; convert it: editcap -F pcapng FILE FILE.pcapng"},
	{"XCP\x00", "is a NetXRay file; convert it: editcap -F pcapng FILE FILE.pcapng"},
	{"PK\x03\x04", "is a zip archive; unpack it first"},
	{"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it first"},
	{"Rar!", "is a rar archive; unpack it first"},
	{"BZh", "is compressed with bzip2; decompress it first: bunzip2 FILE"},
	{"\xfd7zXZ\x00", "is compressed with xz; decompress it first: unxz FILE"},
}

// notCapture says what the file is, as well as its first bytes tell.
func (r *Reader) notCapture() error {
	head := r.src.buf[r.src.pos:r.src.end]
	e := &OpenError{File: r.info.File, Err: ErrNotCapture}
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			e.Text = f.text
			return e
		}
	}
	e.Text = fmt.Sprintf("is not a capture (it begins with %q); name a pcap or pcapng file, plain or compressed with gzip, zstd or lz4", head[:min(len(head), 8)])
	return e
}
