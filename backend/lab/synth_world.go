package lab

import (
	"math/rand/v2"
	"net/netip"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// world is a path with capture points, on which conversations are played.
type world struct {
	c    *Case
	rng  *rand.Rand
	n    int // points
	six  bool
	loss float64 // chance that a packet that may be lost is, on the whole path

	// Stretch i lies in front of point i, stretch n behind the last one.
	delay   []int64 // ns
	routers []int

	box  string   // what ends or rewrites connections on its own: "", synproxy, transparent, proxy, siit
	at   int      // its stretch
	when int64    // true time at which the next conversation begins
	end  int64    // true time of the last packet so far
	last [2]*peer // of the last TCP conversation: its ports may be used again
	sent uint32   // packets so far
}

// leg is a part of the path that a packet travels from end to end.
type leg struct {
	lo, hi int // points lo to hi-1
	// halfLo, halfHi: the leg begins, or ends, in the middle of its outer stretch: at a box.
	halfLo, halfHi bool
	// view gives the packet as a point sees it; nil: as it was sent.
	view func(point int, dir byte, id uint32, ip []byte) []byte
}

func (w *world) whole() leg { return leg{lo: 0, hi: w.n} }

// legs in front of the box and behind it.
func (w *world) legs() (leg, leg) {
	return leg{lo: 0, hi: w.at, halfHi: true}, leg{lo: w.at, hi: w.n, halfLo: true}
}

// lane keeps the order of one conversation's packets: what is sent later arrives later.
type lane struct{ last map[[2]int]int64 }

func (l *lane) after(point int, dir byte, t int64) int64 {
	k := [2]int{point, dirIndex(dir)}
	if l.last == nil {
		l.last = map[[2]int]int64{}
	}
	if t <= l.last[k] {
		t = l.last[k] + 300
	}
	l.last[k] = t
	return t
}

// passed is what became of a packet.
type passed struct {
	arrives int64 // at the leg's end; meaningless if lost
	lost    bool
	frames  map[int]*Frame // by point
}

// stretch gives delay and routers of a leg's part; half of it where the leg begins or ends at a box.
func (w *world) stretch(g leg, i int) (int64, int) {
	d, r := w.delay[i], w.routers[i]
	switch {
	case i == g.lo && g.halfLo:
		return d - d/2, r - r/2
	case i == g.hi && g.halfHi:
		return d / 2, r / 2
	}
	return d, r
}

// emit sends a packet over a leg. lossAt is the stretch that it is lost on, -1 none.
func (w *world) emit(g leg, l *lane, f *Flow, dir byte, t int64, ttl byte, ip []byte, lossAt int) passed {
	w.sent++
	out := passed{frames: map[int]*Frame{}}
	stretches := make([]int, 0, g.hi-g.lo+1)
	for i := g.lo; i <= g.hi; i++ {
		stretches = append(stretches, i)
	}
	if dir == 'r' {
		for i, j := 0, len(stretches)-1; i < j; i, j = i+1, j-1 {
			stretches[i], stretches[j] = stretches[j], stretches[i]
		}
	}
	hops, before := 0, -1
	for n, s := range stretches {
		d, r := w.stretch(g, s)
		t += d + w.rng.Int64N(15_000)
		hops += r
		if s == lossAt {
			w.lostBetween(before, dir, out.frames)
			out.lost = true
			return out
		}
		if n == len(stretches)-1 {
			break
		}
		point := s // of the points beside the stretch, the one reached
		if dir == 'r' {
			point = s - 1
		}
		t = l.after(point, dir, t)
		x := w.frame(g, f, point, dir, t, ttl-byte(hops), ip)
		out.frames[point] = x
		if before >= 0 {
			w.match(before, point, out.frames)
		}
		before = point
	}
	out.arrives = l.after(-1-g.lo, dir, t)
	w.end = max(w.end, out.arrives)
	return out
}

func (w *world) frame(g leg, f *Flow, point int, dir byte, t int64, ttl byte, ip []byte) *Frame {
	data := ip
	if g.view != nil {
		data = g.view(point, dir, w.sent, append([]byte(nil), ip...))
	}
	near, far := card(point, 0), card(point, 1)
	if dir == 'r' {
		near, far = far, near
	}
	x := &Frame{True: t, Data: ethernet(near, far, data), Flow: f, Dir: dir}
	x.OrigLen = uint32(len(x.Data))
	h := read(capture.LinkEthernet, x)
	h.set(h.ttlOff(), []byte{ttl})
	p := w.c.Captures[point]
	p.Frames = append(p.Frames, x)
	return x
}

// card is the address of a network card beside a point.
func card(point, side int) [6]byte { return [6]byte{0x02, 0x1c, 0x7f, byte(side), 0, byte(point + 1)} }

func (w *world) match(x, y int, frames map[int]*Frame) {
	i := min(x, y)
	p := w.c.Pairs[i]
	p.Matches = append(p.Matches, Link{frames[i], frames[i+1]})
}

func (w *world) lostBetween(before int, dir byte, frames map[int]*Frame) {
	switch {
	case before < 0:
	case dir == 'f' && before < w.n-1:
		w.only(before, 0, "lost", frames[before])
	case dir == 'r' && before > 0:
		w.only(before-1, 1, "lost", frames[before])
	}
}

func (w *world) only(pair, side int, reason string, f *Frame) {
	m := w.c.Pairs[pair].Only[side]
	m[reason] = append(m[reason], f)
}

// mayLose draws a stretch of the leg to lose a packet on, mostly none.
func (w *world) mayLose(g leg) int {
	if w.rng.Float64() >= w.loss {
		return -1
	}
	return g.lo + w.rng.IntN(g.hi-g.lo+1)
}

func (w *world) flow(proto string) *Flow {
	f := &Flow{ID: len(w.c.Flows) + 1, Proto: proto, Initiator: "client", Outcome: "ok", at: map[*Capture]map[string]any{}, rest: map[string]any{"instance": 0}}
	w.c.Flows = append(w.c.Flows, f)
	return f
}

func (w *world) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(w.rng.UintN(256))
	}
	return b
}

// newWorld draws the path.
func newWorld(seed int64, rng *rand.Rand, o Options) *world {
	w := &world{rng: rng, n: o.Points}
	if w.n == 0 {
		w.n = 2 + rng.IntN(4)
	}
	w.c = &Case{Name: "synthetic", Ref: 1_790_000_000_000_000_000 + seed%1000*1_000_000_007, rest: map[string]any{}}
	w.when = w.c.Ref
	w.six = rng.IntN(5) == 0
	if rng.IntN(2) == 0 {
		w.loss = 0.03
	}
	for i := 0; i <= w.n; i++ {
		w.delay = append(w.delay, int64(20_000+rng.IntN(3_000_000)))
		w.routers = append(w.routers, rng.IntN(4))
	}
	if rng.IntN(2) == 0 {
		w.routers[0], w.delay[0] = 0, 1000 // recorded at the client itself
	}
	boxes := []string{"", "", "", "synproxy", "transparent", "proxy", "siit"}
	w.box = boxes[rng.IntN(len(boxes))]
	if o.Box != "" {
		w.box = o.Box
	}
	w.at = 1 + rng.IntN(w.n-1)
	if w.box == "siit" {
		w.six = true
	}
	for i := range w.n {
		w.c.Captures = append(w.c.Captures, &Capture{
			File: string(rune('a'+i)) + ".pcap", Format: capturetest.NanoPcap, Link: capture.LinkEthernet, Where: "lab",
			RoutersFromClient: w.count(0, i+1), RoutersFromServer: w.count(i+1, w.n+1), rest: map[string]any{},
		})
	}
	for i := 1; i < w.n; i++ {
		r := w.routers[i]
		w.c.Pairs = append(w.c.Pairs, &Pair{A: w.c.Captures[i-1], B: w.c.Captures[i], Routers: &r, MaxTransitMS: 1000, Only: newOnly(), rest: map[string]any{}})
	}
	if w.box == "proxy" {
		for i, p := range w.c.Captures {
			if i < w.at {
				p.RoutersFromServer = nil
			} else {
				p.RoutersFromClient = nil
			}
		}
	}
	return w
}

func (w *world) count(from, to int) *int {
	n := 0
	for _, r := range w.routers[from:to] {
		n += r
	}
	return &n
}

// Addresses of hosts.
func (w *world) client(i int) netip.Addr { return w.host(10, 61, i) }
func (w *world) server(i int) netip.Addr { return w.host(10, 62, i) }

func (w *world) host(a, b byte, i int) netip.Addr {
	if w.six {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, a, b, 14: byte((i + 10) >> 8), 15: byte(i + 10)})
	}
	return netip.AddrFrom4([4]byte{a, b, 1 + byte((i+10)>>8), byte(i + 10)})
}
