package lab

import (
	"fmt"

	"github.com/corr-dev/corr/backend/capture"
)

var (
	sllTransform  = Transform{"sll", "@CAPTURE", "Linux cooked capture", linkType(capture.LinkSLL)}
	sll2Transform = Transform{"sll2", "@CAPTURE", "Linux cooked capture, version 2", linkType(capture.LinkSLL2)}
	rawTransform  = Transform{"raw", "@CAPTURE", "raw IP; ARP is not there", linkType(capture.LinkRaw)}
	nullTransform = Transform{"null", "@CAPTURE", "BSD loopback; ARP is not there", linkType(capture.LinkNull)}
	loopTransform = Transform{"loop", "@CAPTURE", "OpenBSD loopback; ARP is not there", linkType(capture.LinkLoop)}
)

func linkType(t capture.LinkType) func(*Case, args) error {
	return eachCapture(func(c *Case, p *Capture, _ args) error { return toLink(c, p, t) })
}

// toLink puts another link header in place of the Ethernet header. Tags stay where the type has room for them.
func toLink(c *Case, p *Capture, t capture.LinkType) error {
	if p.Link == t {
		return nil
	}
	if p.Link != capture.LinkEthernet {
		return fmt.Errorf("%s has no Ethernet headers", p.File)
	}
	bare := t == capture.LinkRaw || t == capture.LinkNull || t == capture.LinkLoop
	if bare {
		c.take(p, p.where(func(f *Frame) bool { h := read(p.Link, f); return h.ip < 0 || h.ips[0].off != 14 }), "filtered")
	}
	for _, f := range p.Frames {
		if len(f.Data) < 14 {
			continue
		}
		head := linkHeader(t, f)
		f.Data = concat(head, f.Data[14:])
		f.OrigLen = f.OrigLen - 14 + uint32(len(head))
		if p.Snaplen > 0 {
			f.Data = f.Data[:min(len(f.Data), int(p.Snaplen))]
		}
	}
	p.Link = t
	return nil
}

// linkHeader makes the header in place of the frame's Ethernet header.
func linkHeader(t capture.LinkType, f *Frame) []byte {
	ether, src := be.Uint16(f.Data[12:]), f.Data[6:12]
	kind := byte(0) // to us
	if f.Direction == capture.Outbound {
		kind = 4
	} else if f.Data[0]&1 != 0 {
		kind = 1 // broadcast
	}
	switch t {
	case capture.LinkSLL:
		b := make([]byte, 16)
		b[1], b[3], b[5] = kind, 1, 6
		copy(b[6:], src)
		be.PutUint16(b[14:], ether)
		return b
	case capture.LinkSLL2:
		b := make([]byte, 20)
		be.PutUint16(b, ether)
		be.PutUint32(b[4:], 2)
		b[9], b[10], b[11] = 1, kind, 6
		copy(b[12:], src)
		return b
	case capture.LinkNull:
		return []byte{family(ether), 0, 0, 0} // in the recording host's byte order: little-endian
	case capture.LinkLoop:
		return []byte{0, 0, 0, family(ether)}
	}
	return nil
}

// family is the protocol family as OpenBSD and macOS number it.
func family(ether uint16) byte {
	if ether == etherIPv6 {
		return 24
	}
	return 2
}
