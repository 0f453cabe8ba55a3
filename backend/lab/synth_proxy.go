package lab

import (
	"fmt"
)

// proxied plays a conversation through a proxy that ends TCP: two connections, the same bytes.
func (w *world) proxied(client, server *peer, twin bool) {
	f := w.flow("tcp")
	k := w.talk(twin)
	f.Outcome = outcomes[k.end]
	front, back := w.legs()
	vip, own := w.peer(server.addr, server.port), w.peer(client.addr, client.port)
	if w.box == "proxy" {
		vip.addr = w.host(10, 63, 0)
		own.addr, own.port = w.host(10, 64, len(w.c.Flows)/50_000), uint16(10_000+len(w.c.Flows)%50_000)
	}
	a, b := w.conn(front, f, client, vip), w.conn(back, f, own, server)
	vip.ttl, own.ttl = 255, 255

	clientReady, t := a.open(w.when)
	_, _ = b.open(t + a.think())
	bt := t + 4*(w.delay[w.at]+w.delay[w.n]) + 20_000_000
	bt = max(bt, b.lane.latest())
	prefix := w.proxyHeader(client, vip)
	t = clientReady
	for _, m := range k.messages {
		if m.dir == 'f' {
			at, _ := a.message('f', t, m.data)
			_, known := b.message('f', max(at, bt)+a.think(), concat(prefix.take(), m.data))
			bt = max(known, b.lane.latest())
			continue
		}
		at, known := b.message('r', bt+b.think(), m.data)
		bt = max(known, at)
		_, t = a.message('r', max(at, a.lane.latest())+b.think(), m.data)
		t = max(t, a.lane.latest())
	}
	w.closeBoth(a, b, k.end, max(t, bt))
	w.relate(a, b, prefix.n)
}

// latest is the time of the last packet so far.
func (l *lane) latest() int64 {
	var t int64
	for _, x := range l.last {
		t = max(t, x)
	}
	return t
}

// header is what a proxy may say of the client in front of the stream (PROXY protocol, version 1).
type proxyHeader struct {
	text []byte
	n    int
}

func (w *world) proxyHeader(client, vip *peer) *proxyHeader {
	if w.box != "proxy" || w.rng.IntN(4) > 0 {
		return &proxyHeader{}
	}
	family := "TCP4"
	if client.addr.Is6() {
		family = "TCP6"
	}
	text := fmt.Sprintf("PROXY %s %s %s %d %d\r\n", family, client.addr, vip.addr, client.port, vip.port)
	return &proxyHeader{[]byte(text), len(text)}
}

// take gives the header once.
func (p *proxyHeader) take() []byte {
	b := p.text
	p.text = nil
	return b
}

// closeBoth carries the end of one connection over to the other.
func (w *world) closeBoth(a, b *conn, how string, t int64) {
	x, y, first := a, b, byte('f')
	if how == "server" || how == "reset-server" {
		x, y, first = b, a, 'r'
	}
	switch how {
	case "client", "server":
		at, _ := x.fin(first, t)
		at, _ = y.fin(first, at+x.think())
		at, _ = y.fin(opposite(first), at+y.think())
		x.fin(opposite(first), max(at, x.lane.latest())+x.think())
	case "reset-client", "reset-server":
		at := x.plain(first, t, flagRST|flagACK).arrives
		y.plain(first, at+x.think(), flagRST|flagACK)
	}
}

// relate writes down what belongs together at the points beside the proxy.
func (w *world) relate(a, b *conn, prefix int) {
	q := w.c.Pairs[w.at-1]
	left, right := w.at-1, w.at
	for s, c := range []*conn{a, b} {
		for _, p := range c.parts {
			if f := p.frames[[]int{left, right}[s]]; f != nil {
				w.only(w.at-1, s, "terminated", f)
			}
		}
	}
	for _, x := range a.parts {
		for _, y := range b.parts {
			shift := 0
			if x.dir == 'f' {
				shift = prefix
			}
			if x.dir == y.dir && max(x.from, y.from-shift) < min(x.to, y.to-shift) && x.frames[left] != nil && y.frames[right] != nil {
				q.Stream = append(q.Stream, Link{x.frames[left], y.frames[right]})
			}
		}
	}
	for _, dir := range []byte{'f', 'r'} {
		for _, flag := range []byte{flagSYN, flagFIN, flagRST} {
			x, y := firstWith(a, dir, flag, left), firstWith(b, dir, flag, right)
			if dir == 'f' && flag == flagSYN {
				x = cameWith(a, flag, left)
			}
			if x != nil && y != nil {
				q.Logical = append(q.Logical, Link{x, y})
			}
		}
	}
}

// cameWith gives the frame of the client's first segment with a flag that reaches the device.
func cameWith(c *conn, flag byte, point int) *Frame {
	for _, p := range c.parts {
		if p.dir == 'f' && p.flags&flag != 0 && !p.lost {
			return p.frames[point]
		}
	}
	return nil
}

func firstWith(c *conn, dir, flag byte, point int) *Frame {
	for _, p := range c.parts {
		if p.dir == dir && p.flags&flag != 0 && p.frames[point] != nil {
			return p.frames[point]
		}
	}
	return nil
}
