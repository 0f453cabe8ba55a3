package lab

import (
	"fmt"
	"strconv"
	"strings"
)

var dropTransform = Transform{"drop", "PERCENT@CAPTURE", "the recorder misses frames", eachCapture(dropFrames)}

func dropFrames(c *Case, p *Capture, a args) error {
	percent, err := a.float(2)
	if err != nil {
		return err
	}
	c.take(p, p.where(func(*Frame) bool { return a.chance(percent) }), "capture_drop")
	return nil
}

// where collects the frames that f holds for, in the file's order.
func (p *Capture) where(f func(*Frame) bool) frames {
	m := frames{}
	for _, x := range p.Frames {
		if f(x) {
			m[x] = true
		}
	}
	return m
}

var lateTransform = Transform{"late", "SHARE@CAPTURE", "the capture starts after this share of its time", eachCapture(startLate)}

func startLate(c *Case, p *Capture, a args) error {
	at, err := p.instant(a, 0.3)
	if err != nil {
		return err
	}
	c.take(p, p.where(func(f *Frame) bool { return f.True < at }), "outside_window")
	return nil
}

var earlyTransform = Transform{"early", "SHARE@CAPTURE", "the capture ends after this share of its time", eachCapture(endEarly)}

func endEarly(c *Case, p *Capture, a args) error {
	at, err := p.instant(a, 0.7)
	if err != nil {
		return err
	}
	c.take(p, p.where(func(f *Frame) bool { return f.True > at }), "outside_window")
	return nil
}

// instant is the true time after a share of the capture.
func (p *Capture) instant(a args, otherwise float64) (int64, error) {
	share, err := a.float(otherwise)
	if err != nil || len(p.Frames) == 0 {
		return 0, err
	}
	first, last := p.Frames[0].True, p.Frames[0].True
	for _, f := range p.Frames {
		first, last = min(first, f.True), max(last, f.True)
	}
	return first + int64(share*float64(last-first)), nil
}

var filterTransform = Transform{"filter", "tcp|udp|icmp|port:N@CAPTURE", "the capture has a capture filter", eachCapture(setFilter)}

func setFilter(c *Case, p *Capture, a args) error {
	keep, err := filter(a.value)
	if err != nil {
		return err
	}
	c.take(p, p.where(func(f *Frame) bool { return !keep(read(p.Link, f)) }), "filtered")
	if p.rest == nil {
		p.rest = map[string]any{}
	}
	p.rest["filter"] = a.value
	return nil
}

// filter looks at the outermost packet, as a capture filter does.
func filter(expr string) (func(*header) bool, error) {
	protos := map[string]byte{"tcp": protoTCP, "udp": protoUDP, "icmp": protoICMP, "icmp6": protoICMPv6}
	if p, ok := protos[expr]; ok {
		return func(h *header) bool { return len(h.trans) > 0 && h.trans[0].proto == p }, nil
	}
	if s, ok := strings.CutPrefix(expr, "port:"); ok {
		n, err := strconv.ParseUint(s, 10, 16)
		port := uint16(n)
		return func(h *header) bool {
			if len(h.trans) == 0 || h.trans[0].proto != protoTCP && h.trans[0].proto != protoUDP {
				return false
			}
			o := h.trans[0].off
			return be.Uint16(h.data[o:]) == port || be.Uint16(h.data[o+2:]) == port
		}, err
	}
	return nil, fmt.Errorf("no filter %q", expr)
}
