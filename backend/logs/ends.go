package logs

import (
	"net/netip"
)

// Ends are the addresses and ports of conversations' initiators. A record of a conversation names one of them; a line
// that does not is passed over without being taken apart, which is what nearly all lines of a busy device's log are.
type Ends struct {
	hosts map[netip.Addr]bool
	four  map[uint32]bool // the IPv4 hosts
	ends  map[netip.AddrPort]bool
	far   map[netip.Addr]bool // the hosts that they speak to
	six   bool                // any is of IPv6
}

// NewEnds makes an empty set.
func NewEnds() *Ends {
	return &Ends{hosts: map[netip.Addr]bool{}, four: map[uint32]bool{}, ends: map[netip.AddrPort]bool{}, far: map[netip.Addr]bool{}}
}

// Add adds an end; port 0 stands for any.
func (e *Ends) Add(end netip.AddrPort) {
	a := end.Addr().Unmap()
	e.host(a)
	e.ends[netip.AddrPortFrom(a, end.Port())] = true
}

// AddPeer adds a host that initiators speak to: a line that names it and one of them is let through too.
func (e *Ends) AddPeer(a netip.Addr) {
	a = a.Unmap()
	e.host(a)
	e.far[a] = true
}

func (e *Ends) host(a netip.Addr) {
	e.hosts[a] = true
	if a.Is4() {
		e.four[word(a.As4())] = true
	} else {
		e.six = true
	}
}

func word(b [4]byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// scan is what a line holds that may be addresses and ports.
type scan struct {
	any     bool // any address at all
	hosts   []netip.Addr
	numbers []uint16
}

// speaks reports whether a line can be a record of one of the conversations: it holds an end's address and, anywhere, its
// port; or of another one between the same hosts. A line without any address is let through: a header, or one that can't be read.
func (e *Ends) speaks(line []byte, s *scan) bool {
	s.any, s.hosts, s.numbers = false, s.hosts[:0], s.numbers[:0]
	for i := 0; i < len(line); {
		c := line[i]
		if c-'0' <= 9 {
			i = e.digits(line, i, s)
			continue
		}
		if c == ':' && e.six {
			i = e.colons(line, i, s)
			continue
		}
		i++
	}
	for k, a := range s.hosts {
		for _, b := range s.hosts[k+1:] {
			if a != b && (e.far[a] || e.far[b]) {
				return true
			}
		}
		if e.ends[netip.AddrPortFrom(a, 0)] {
			return true
		}
		for _, p := range s.numbers {
			if e.ends[netip.AddrPortFrom(a, p)] {
				return true
			}
		}
	}
	return !s.any
}

// digits reads a number or a dotted address at i, and gives the place behind it.
func (e *Ends) digits(line []byte, i int, s *scan) int {
	n, j := 0, i
	for ; j < len(line) && line[j]-'0' <= 9; j++ {
		n = min(n*10+int(line[j]-'0'), 1<<20)
	}
	if n <= 255 && j+1 < len(line) && line[j] == '.' && line[j+1]-'0' <= 9 {
		quad, parts, k := uint32(n), 1, j
		for parts < 4 && k+1 < len(line) && line[k] == '.' && line[k+1]-'0' <= 9 {
			m := 0
			for k++; k < len(line) && line[k]-'0' <= 9; k++ {
				m = min(m*10+int(line[k]-'0'), 1<<20)
			}
			if m > 255 {
				break
			}
			quad = quad<<8 | uint32(m)
			parts++
		}
		if parts == 4 {
			s.any = true
			if e.four[quad] {
				s.hosts = append(s.hosts, netip.AddrFrom4([4]byte{byte(quad >> 24), byte(quad >> 16), byte(quad >> 8), byte(quad)}))
			}
			return k
		}
	}
	if n <= 65535 {
		s.numbers = append(s.numbers, uint16(n))
	}
	return j
}

// colons reads an IPv6 address that holds the colon at i, and gives the place behind the colon.
func (e *Ends) colons(line []byte, i int, s *scan) int {
	from, to := i, i
	for from > 0 && sixByte(line[from-1]) {
		from--
	}
	for to < len(line) && sixByte(line[to]) {
		to++
	}
	if to-from >= 3 {
		if a, err := netip.ParseAddr(string(line[from:to])); err == nil {
			s.any = true
			if a = a.Unmap(); e.hosts[a] {
				s.hosts = append(s.hosts, a)
			}
			return to
		}
	}
	return i + 1
}

func sixByte(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'f' || c == ':' || c == '.'
}
