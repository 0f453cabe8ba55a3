package capturetest

import (
	"github.com/corr-dev/corr/backend/capture"
)

// Block types of pcapng.
const (
	SectionBlock   = 0x0a0d0d0a
	InterfaceBlock = 1
	ObsoleteBlock  = 2
	SimpleBlock    = 3
	NameBlock      = 4
	StatsBlock     = 5
	EnhancedBlock  = 6
	SecretsBlock   = 10
	CustomBlock    = 0x00000bad
)

// Block writes a pcapng block around body, which it pads to 32 bits.
func (c *Writer) Block(typ uint32, body []byte) {
	n := uint32(12 + (len(body)+3)&^3)
	b := c.order.AppendUint32(nil, typ)
	b = c.order.AppendUint32(b, n)
	b = pad(append(b, body...))
	c.Raw(c.order.AppendUint32(b, n))
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// Option appends a block option to b in the section's byte order.
func (c *Writer) Option(b []byte, code uint16, value []byte) []byte {
	b = c.order.AppendUint16(b, code)
	b = c.order.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...))
}

// Section starts a new section, without interfaces.
func (c *Writer) Section(bigEndian bool) {
	c.setOrder(bigEndian)
	c.ifs = nil
	b := c.order.AppendUint32(nil, 0x1a2b3c4d)
	b = c.order.AppendUint16(b, 1)
	b = c.order.AppendUint16(b, 0)
	c.Block(SectionBlock, c.order.AppendUint64(b, ^uint64(0)))
}

// AddInterface describes the section's next interface.
func (c *Writer) AddInterface(i Interface) {
	c.ifs = append(c.ifs, i)
	b := c.order.AppendUint16(nil, uint16(i.link()))
	b = append(b, 0, 0)
	b = c.order.AppendUint32(b, i.Snaplen)
	if i.Name != "" {
		b = c.Option(b, 2, []byte(i.Name))
	}
	if i.Resolution != 0 {
		b = c.Option(b, 9, []byte{i.Resolution})
	}
	if i.Filter != "" {
		b = c.Option(b, 11, append([]byte{0}, i.Filter...))
	}
	if i.Offset != 0 {
		b = c.Option(b, 14, c.order.AppendUint64(nil, uint64(i.Offset)))
	}
	c.Block(InterfaceBlock, c.Option(b, 0, nil))
}

func (c *Writer) units(f Frame) uint64 {
	if f.Interface < len(c.ifs) {
		return c.ifs[f.Interface].units(f.Time)
	}
	return Interface{}.units(f.Time)
}

func (c *Writer) enhanced(f Frame) {
	data, orig := c.cut(f, f.Interface)
	t := c.units(f)
	n := uint32(32 + (len(data)+3)&^3)
	if f.Direction != capture.DirectionUnknown {
		n += 12
	}
	b := c.order.AppendUint32(c.buf[:0], EnhancedBlock)
	b = c.order.AppendUint32(b, n)
	b = c.order.AppendUint32(b, uint32(f.Interface))
	b = c.order.AppendUint32(b, uint32(t>>32))
	b = c.order.AppendUint32(b, uint32(t))
	b = c.order.AppendUint32(b, uint32(len(data)))
	b = c.order.AppendUint32(b, orig)
	b = pad(append(b, data...))
	if f.Direction != capture.DirectionUnknown {
		b = c.Option(b, 2, c.order.AppendUint32(nil, uint32(f.Direction)))
		b = c.Option(b, 0, nil)
	}
	c.buf = c.order.AppendUint32(b, n)
	c.Raw(c.buf)
}

// Simple writes a simple packet block: of the first interface, without a time.
func (c *Writer) Simple(f Frame) {
	data, orig := c.cut(f, 0)
	c.Block(SimpleBlock, append(c.order.AppendUint32(nil, orig), data...))
}

// Obsolete writes a packet block, as recorders did before pcapng 1.0.
func (c *Writer) Obsolete(f Frame) {
	data, orig := c.cut(f, f.Interface)
	t := c.units(f)
	b := c.order.AppendUint16(nil, uint16(f.Interface))
	b = c.order.AppendUint16(b, 0xffff) // drops: not known
	b = c.order.AppendUint32(b, uint32(t>>32))
	b = c.order.AppendUint32(b, uint32(t))
	b = c.order.AppendUint32(b, uint32(len(data)))
	b = c.order.AppendUint32(b, orig)
	b = pad(append(b, data...))
	if f.Direction != capture.DirectionUnknown {
		b = c.Option(b, 2, c.order.AppendUint32(nil, uint32(f.Direction)))
		b = c.Option(b, 0, nil)
	}
	c.Block(ObsoleteBlock, b)
}

// Secrets writes a decryption secrets block with a TLS key log.
func (c *Writer) Secrets(keyLog []byte) {
	b := c.order.AppendUint32(nil, 0x544c534b)
	b = c.order.AppendUint32(b, uint32(len(keyLog)))
	c.Block(SecretsBlock, append(b, keyLog...))
}
