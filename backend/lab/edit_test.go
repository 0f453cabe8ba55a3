package lab

import (
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// sumIsRight computes a checksum from nothing but the bytes.
func sumIsRight(h *header, s sumOver) bool {
	if s.to > len(h.data) || !h.has(s.at, 2) {
		return false
	}
	if s.udp() && be.Uint16(h.data[s.at:]) == 0 {
		return true
	}
	var pseudo []byte
	if s.addrs[0] != s.addrs[1] {
		proto := map[int]byte{6: protoUDP, 16: protoTCP, 2: protoICMPv6}[s.at-s.from]
		pseudo = append(pseudo, h.data[s.addrs[0]:s.addrs[1]]...)
		pseudo = append(be.AppendUint32(pseudo, uint32(s.to-s.from)), 0, 0, 0, proto)
	}
	return checksum(pseudo, h.data[s.from:s.to]) == 0
}

// TestChecksums: transformations that rewrite headers leave every checksum as right or wrong as it was.
func TestChecksums(t *testing.T) {
	for _, c := range []struct{ from, specs string }{
		{"udp-icmp-nat", "renumber,isn,ipid=random,ttl=128@client"},
		{"vxlan-middle", "renumber,isn,ipid=random,ttl=255@server"},
		{"ipv6-routers", "renumber,isn,nat=double/ports,hops=2@a-b"},
		{"routers-3-8", "nat=double/ports,mss=1000,ipid=random"},
		{"rst-inject", "isn,renumber,ipid=random"},
		{"mss-loss-reorder", "isn,renumber,ipid=zero"},
	} {
		before, after := sums(load(t, c.from)), sums(derive(t, c.from, c.specs, 5))
		for name, right := range before {
			for i := range right {
				if right[i] != after[name][i] {
					t.Errorf("%s %s: %s: checksum %d of the file: right %v before, %v after", c.from, c.specs, name, i, right[i], after[name][i])
					break
				}
			}
		}
	}
}

func sums(c *Case) map[string][]bool {
	out := map[string][]bool{}
	for _, p := range c.Captures {
		for _, f := range p.Frames {
			h := read(p.Link, f)
			for _, s := range h.sums {
				out[p.File] = append(out[p.File], sumIsRight(h, s))
			}
		}
	}
	return out
}

func TestRandomChecksumsAreRight(t *testing.T) {
	for seed := range int64(60) {
		c := Random(seed, Options{Plain: true})
		for _, p := range c.Captures {
			for i, f := range p.Frames {
				h := read(p.Link, f)
				for _, s := range h.sums {
					if !sumIsRight(h, s) {
						t.Fatalf("seed %d: %s frame %d: checksum at byte %d is wrong", seed, p.File, i+1, s.at)
					}
				}
			}
		}
	}
}

// FuzzRead: no bytes make the walker or an edit fail.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"vxlan-middle", "udp-icmp-nat", "ipv6-routers"} {
		c, err := Load(testdata + "/" + name)
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range c.Captures {
			for _, x := range p.Frames[:min(12, len(p.Frames))] {
				f.Add(uint16(p.Link), x.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte) {
		x := &Frame{Data: data, OrigLen: uint32(len(data))}
		h := read(capture.LinkType(link), x)
		h.options()
		h.identity(1<<20, true)
		h.body()
		h.changeAll()
	})
}

// changeAll edits all that transformations edit.
func (h *header) changeAll() {
	for _, l := range h.ips {
		src, dst, n := l.addrs()
		h.set(src, make([]byte, n))
		h.set(dst, make([]byte, n))
	}
	for _, l := range h.trans {
		h.set16(l.off, 7)
	}
	if h.tcp() {
		h.shiftTCP([2]uint32{1, 2}, 0, &[2]bool{true, true})
	}
	h.shiftQuoted(9)
}
