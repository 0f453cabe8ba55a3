package lab

import "github.com/corr-dev/corr/backend/capture"

// synProxied plays a conversation whose SYN a device answers itself; only when the client has answered, it asks the
// server, and from then on shifts the server's sequence numbers by a constant.
func (w *world) synProxied(client, server *peer, twin bool) {
	f := w.flow("tcp")
	k := w.talk(twin)
	f.Outcome = outcomes[k.end]
	front, back := w.legs()
	device := w.peer(server.addr, server.port)
	device.mss, device.scale, device.window = server.mss, server.scale, 0
	again := *client // the device speaks for the client
	again.next, again.rcv, again.ttl = client.isn, 0, 64

	a, b := w.conn(front, f, client, device), w.conn(back, f, &again, server)
	a.ts, b.ts = false, false
	_, t := a.open(w.when)
	ready, _ := b.open(t + a.think())
	device.window = server.window
	a.plain('r', ready, flagACK) // opens the window
	w.handshakes(a, b)

	by := device.isn - server.isn
	whole := w.whole()
	whole.view = func(point int, dir byte, _ uint32, ip []byte) []byte {
		if point < w.at {
			shiftServer(ip, dir, by)
		}
		return ip
	}
	client.rcv = server.next
	c := &conn{w: w, leg: whole, flow: f, end: [2]*peer{client, server}, sack: a.sack}
	c.lane.last = map[[2]int]int64{}
	for _, l := range []lane{a.lane, b.lane} {
		for key, t := range l.last {
			c.lane.last[key] = max(c.lane.last[key], t)
		}
	}
	server.rcv = client.next
	c.play(k, max(a.lane.latest(), b.lane.latest())+c.think())
}

// shiftServer turns the server's numbers into those that the client knows.
func shiftServer(ip []byte, dir byte, by uint32) {
	h := read(capture.LinkRaw, &Frame{Data: ip, OrigLen: uint32(len(ip))})
	if dir == 'r' {
		h.set32(h.l4+4, h.seq()+by)
		return
	}
	if h.flags()&flagACK != 0 {
		h.set32(h.l4+8, h.ack()+by)
	}
	if o, ok := h.option(optSACK); ok {
		for at := o.off + 2; at+4 <= o.off+o.len; at += 4 {
			h.set32(at, be.Uint32(h.data[at:])+by)
		}
	}
}

// handshakes writes down the packets that the device swallowed and made.
func (w *world) handshakes(a, b *conn) {
	q := w.c.Pairs[w.at-1]
	for s, c := range []*conn{a, b} {
		for _, p := range c.parts {
			reason := "middlebox_consumed"
			if p.dir == "rf"[s] {
				reason = "middlebox_generated"
			}
			if f := p.frames[w.at-1+s]; f != nil {
				w.only(w.at-1, s, reason, f)
			}
		}
	}
	// The ACK that the device makes says what the client's own said.
	if x, y := lastWith(a, 'f', w.at-1), lastWith(b, 'f', w.at); x != nil && y != nil {
		q.Logical = append(q.Logical, Link{x, y})
	}
	for _, dir := range []byte{'f', 'r'} {
		x, y := firstWith(a, dir, flagSYN, w.at-1), firstWith(b, dir, flagSYN, w.at)
		if dir == 'f' {
			x = cameWith(a, flagSYN, w.at-1)
		}
		if x != nil && y != nil {
			q.Logical = append(q.Logical, Link{x, y})
		}
	}
}

// lastWith gives the last frame of a direction at a point.
func lastWith(c *conn, dir byte, point int) *Frame {
	var f *Frame
	for _, p := range c.parts {
		if p.dir == dir && p.frames[point] != nil {
			f = p.frames[point]
		}
	}
	return f
}
