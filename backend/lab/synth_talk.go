package lab

// talk is what a TCP conversation says: messages in turn, and how it ends.
type talk struct {
	messages []message
	end      string // client, server: who sends FIN first; reset-client, reset-server; open
}

type message struct {
	dir  byte
	data []byte
}

// talk draws a conversation. Where twins are wanted all are of the same sizes and mostly of the same bytes.
func (w *world) talk(twin bool) talk {
	var k talk
	rounds := 1 + w.rng.IntN(4)
	sizes := func() (int, int) { return 20 + w.rng.IntN(900), 1 + w.rng.IntN(1+w.rng.IntN(40_000)) }
	if twin {
		rounds, sizes = 2, func() (int, int) { return 80, 3000 }
	}
	for range rounds {
		q, a := sizes()
		k.messages = append(k.messages, message{'f', w.content(q, twin)}, message{'r', w.content(a, twin)})
	}
	ends := []string{"client", "client", "server", "reset-client", "reset-server", "open"}
	k.end = ends[w.rng.IntN(len(ends))]
	if twin {
		k.end = "client"
	}
	return k
}

// content of twins differs in a few bytes, as requests with a number in them do.
func (w *world) content(n int, twin bool) []byte {
	if !twin {
		return w.bytes(n)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%23)
	}
	copy(b[8:], w.bytes(12))
	return b
}

var outcomes = map[string]string{"client": "ok", "server": "ok", "reset-client": "reset", "reset-server": "reset", "open": "open_at_end"}

// tcp plays a conversation whose packets go from end to end.
func (w *world) tcp(client, server *peer, twin bool) {
	f := w.flow("tcp")
	if w.rng.IntN(12) == 0 && !twin {
		w.refused(f, client, server)
		return
	}
	k := w.talk(twin)
	f.Outcome = outcomes[k.end]
	c := w.conn(w.through(), f, client, server)
	t, _ := c.open(w.when)
	c.play(k, t)
}

func (c *conn) play(k talk, t int64) {
	for _, m := range k.messages {
		arrives, known := c.message(m.dir, t, m.data)
		if t = known; m.dir == 'f' {
			t = max(t, arrives)
		}
	}
	c.close(k.end, t+c.think())
}

func (c *conn) close(how string, t int64) {
	switch how {
	case "client", "server":
		first := byte('f')
		if how == "server" {
			first = 'r'
		}
		arrives, _ := c.fin(first, t)
		c.fin(opposite(first), arrives+2*c.think())
	case "reset-client":
		c.plain('f', t, flagRST|flagACK)
	case "reset-server":
		c.plain('r', t, flagRST|flagACK)
	}
}

func (w *world) refused(f *Flow, client, server *peer) {
	f.Outcome = "refused"
	c := w.conn(w.through(), f, client, server)
	t := c.try('f', w.when, flagSYN)
	server.isn, server.next, server.scale = 0, 0, -1
	c.ts = false
	c.plain('r', t+c.think(), flagRST|flagACK)
}
