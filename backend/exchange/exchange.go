package exchange

import (
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/tlskey"
)

// Part is a request or an answer as one capture shows it.
type Part struct {
	Pieces     []Piece // in stream order
	Start, End capture.LocalTime
	// Least and Most bound its size in bytes, without TLS.
	Least, Most int64
	Head        int64 // bytes of it that are header, -1 unknown
	Holes       bool  // some of its bytes were not captured
	// Torn: of pieces further from its end than Loose bytes the place is not known, since something is missing behind them
	// whose length nobody says.
	Torn  bool
	Loose int64
}

// tear notes that something is missing so many bytes before the end.
func (p *Part) tear(at int64) { p.Holes, p.Torn, p.Loose = true, true, at }

// Begun and Ended report whether the first byte of a part was captured, and the last one: else it may have begun before Start, and
// ended behind End.
func (p *Part) Begun() bool { return p.Seen() && !p.Torn && p.Pieces[0].From >= p.Most }
func (p *Part) Ended() bool { return p.Seen() && !p.Torn && p.Pieces[len(p.Pieces)-1].To == 0 }

// placed reports whether a piece's place is known.
func (p *Part) placed(x Piece) bool { return !p.Torn || x.From <= p.Loose }

// Piece is a frame's share of a part: plain bytes [From, To) counted from the part's end backwards, so that bodies agree
// where headers differ.
type Piece struct {
	Frame    uint32 // place
	From, To int64  // From > To: distance from the end of the first and behind the last byte
}

// Exchange is a request and its answer.
type Exchange struct {
	Conv     match.Conv
	Index    int // in its conversation
	Request  Part
	Answer   Part
	Answered bool
	Opened   bool   // TLS that keys opened
	Opaque   bool   // TLS: sizes are bounds, and nothing of it is seen behind
	Packed   bool   // HTTP/2 in TLS: fields take less than they say
	Among    bool   // which part of what the server says is its answer can't be seen: Answer is all that comes behind, of which Pieces is the end
	Cut      bool   // the recorder cut its frames: nothing tells what it is
	TLS      bool   // its conversation begins as TLS does, whether the rest can be read or not
	Stream   uint32 // HTTP/2: the stream's number; 0: its conversation carries one exchange after another
	// Forwarded are the client addresses that the request's header names, empty for none.
	Forwarded []string
	Status    int    // of an HTTP answer that can be read, else 0
	Refused   bool   // a DNS answer names an error
	Name      string // request line or question, "" where it can't be read
	Client    string // address that the request came from
	// Fields are digests of header fields, of request and answer.
	Fields []uint64
	// ConvStart and ConvEnd are the conversation's SYN and its first FIN or RST; 0: not seen.
	ConvStart, ConvEnd capture.LocalTime
	First, Last        bool   // of its conversation
	Key                string // what must agree on both sides: a DNS question, a SIP transaction; "" for nothing
	SIP                bool
	ID                 uint16 // DNS
}

// Replied reports whether the answer is known, and any of it was captured.
func (e *Exchange) Replied() bool { return e.Answered && !e.Among && e.Answer.Seen() }

// holed reports whether a recorder missed any of it.
func (e *Exchange) holed() bool { return e.Request.Holes || e.Answer.Holes }

// Given reports whether the answer is known to give what was asked for: who stands between has it from where it asked.
func (e *Exchange) Given() bool {
	switch {
	case !e.Replied() || e.SIP:
		return false
	case e.Key != "":
		return !e.Refused
	}
	return e.Status > 0 && e.Status < 500
}

// Kind words of `corr messages`.
const (
	Request  = "request"
	Response = "response"
	Query    = "query"
	AnswerTo = "answer"
)

// gather reads the exchanges of a capture's conversations that want says.
func gather(c *flow.Capture, k int, keys *tlskey.Log, want func(id flow.ConvID) bool) []*Exchange {
	var out []*Exchange
	for id := range c.Convs {
		if id := flow.ConvID(id); want(id) {
			out = append(out, exchangesOf(c, match.Conv{Capture: k, ID: id}, keys)...)
		}
	}
	return out
}

// exchangesOf reads the exchanges of a conversation.
func exchangesOf(c *flow.Capture, v match.Conv, keys *tlskey.Log) []*Exchange {
	switch c.Conv(v.ID).Proto {
	case flow.ProtoTCP:
		return streamExchanges(c, v, keys)
	case flow.ProtoUDP:
		return slices.Concat(queryExchanges(c, v), sipExchanges(c, v), quicExchanges(c, v, keys))
	}
	return nil
}
