package capturetest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/corr-dev/corr/backend/capture"
)

// Format is a kind of capture file.
type Format uint8

const (
	Pcap         Format = iota // times in µs
	NanoPcap                   // times in ns
	ModifiedPcap               // Kuznetzov's longer records, times in µs
	PcapNG                     // times as Interface.Resolution says
)

// Options of a file. The zero value is a little-endian pcap file of Ethernet frames, uncut, not compressed.
type Options struct {
	Format    Format
	BigEndian bool
	Compress  string // "", "gzip", "zstd", "lz4"

	// Interface is the only one of a pcap file (link type and snaplen count), the first of a pcapng file.
	Interface Interface
	// NoInterface: the first section of a pcapng file starts without one.
	NoInterface bool
}

// Interface describes an interface. Only pcapng files hold more than its link type and snaplen.
type Interface struct {
	Link    capture.LinkType // 0: Ethernet; LinkNull needs Null
	Null    bool             // the link type is BSD loopback, whose value is 0
	Snaplen uint32           // frames are cut to it; 0: never (a pcap header then says 262144)

	Name, Filter string
	Resolution   byte  // if_tsresol; 0: the option is left out, times are in µs. 9: ns; 0x80|n: 2^-n s
	Offset       int64 // if_tsoffset, seconds; the writer subtracts it from times
}

// Nanoseconds is the Interface.Resolution of ns times.
const Nanoseconds = 9

// Frame is a frame to write.
type Frame struct {
	Time      capture.LocalTime // finer than the file's unit: cut
	OrigLen   uint32            // 0: len(Data)
	Data      []byte
	Interface int               // in this section, from 0; pcapng only
	Direction capture.Direction // pcapng only
}

// Writer writes one file.
type Writer struct {
	out   *bufio.Writer
	pack  io.Closer
	order binary.AppendByteOrder
	opts  Options
	ifs   []Interface // of this section
	err   error
	buf   []byte
}

// NewWriter writes the header of a file to w.
func NewWriter(w io.Writer, o Options) *Writer {
	c := &Writer{opts: o}
	switch o.Compress {
	case "":
	case "gzip":
		z := gzip.NewWriter(w)
		w, c.pack = z, z
	case "zstd":
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			c.err = err
			break
		}
		w, c.pack = z, z
	case "lz4":
		z := lz4.NewWriter(w)
		w, c.pack = z, z
	default:
		c.err = fmt.Errorf("capturetest: no compression is called %q", o.Compress)
	}
	c.out = bufio.NewWriterSize(w, 1<<16)
	c.setOrder(o.BigEndian)
	if o.Format != PcapNG {
		c.pcapHeader()
		return c
	}
	c.Section(o.BigEndian)
	if !o.NoInterface {
		c.AddInterface(o.Interface)
	}
	return c
}

func (c *Writer) setOrder(big bool) {
	c.order = binary.LittleEndian
	if big {
		c.order = binary.BigEndian
	}
}

func (c *Writer) pcapHeader() {
	magic := map[Format]uint32{Pcap: 0xa1b2c3d4, NanoPcap: 0xa1b23c4d, ModifiedPcap: 0xa1b2cd34}[c.opts.Format]
	in := c.opts.Interface
	snaplen := in.Snaplen
	if snaplen == 0 {
		snaplen = 262144
	}
	b := c.order.AppendUint32(nil, magic)
	b = c.order.AppendUint16(b, 2)
	b = c.order.AppendUint16(b, 4)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = c.order.AppendUint32(b, snaplen)
	b = c.order.AppendUint32(b, uint32(in.link()))
	c.ifs = []Interface{in}
	c.Raw(b)
}

func (i Interface) link() capture.LinkType {
	if i.Link == 0 && !i.Null {
		return capture.LinkEthernet
	}
	return i.Link
}

// Raw writes bytes as they are.
func (c *Writer) Raw(b []byte) {
	if c.err == nil {
		_, c.err = c.out.Write(b)
	}
}

// Frame writes a frame: a pcap record or an enhanced packet block.
func (c *Writer) Frame(f Frame) {
	if c.opts.Format == PcapNG {
		c.enhanced(f)
		return
	}
	unit := int64(1000)
	if c.opts.Format == NanoPcap {
		unit = 1
	}
	data, orig := c.cut(f, 0)
	b := c.order.AppendUint32(c.buf[:0], uint32(int64(f.Time)/1e9))
	b = c.order.AppendUint32(b, uint32(int64(f.Time)%1e9/unit))
	b = c.order.AppendUint32(b, uint32(len(data)))
	b = c.order.AppendUint32(b, orig)
	if c.opts.Format == ModifiedPcap {
		b = append(b, 0, 0, 0, 2, 0x08, 0x00, 0, 0)
	}
	c.buf = append(b, data...)
	c.Raw(c.buf)
}

// cut applies the snaplen of interface i, where there is such an interface.
func (c *Writer) cut(f Frame, i int) (data []byte, orig uint32) {
	data, orig = f.Data, f.OrigLen
	if orig == 0 {
		orig = uint32(len(data))
	}
	if i < len(c.ifs) && c.ifs[i].Snaplen > 0 {
		data = data[:min(len(data), int(c.ifs[i].Snaplen))]
	}
	return data, orig
}

// Close ends the file and returns the first error. It doesn't close the writer underneath.
func (c *Writer) Close() error {
	if err := c.out.Flush(); c.err == nil {
		c.err = err
	}
	if c.pack != nil {
		if err := c.pack.Close(); c.err == nil {
			c.err = err
		}
	}
	return c.err
}

// units turns a time into an interface's units, cutting.
func (i Interface) units(t capture.LocalTime) uint64 {
	ns := uint64(int64(t) - i.Offset*1e9)
	exp := uint64(i.Resolution &^ 0x80)
	switch {
	case i.Resolution == 0:
		return ns / 1000
	case i.Resolution&0x80 != 0:
		hi, lo := bits.Mul64(ns, 1<<exp)
		q, _ := bits.Div64(hi%1e9, lo, 1e9)
		return q
	case exp <= 9:
		return ns / pow10(9-exp)
	default:
		return ns * pow10(exp-9)
	}
}

func pow10(n uint64) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}
