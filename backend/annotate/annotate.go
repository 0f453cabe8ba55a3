package annotate

import "github.com/corr-dev/corr/backend/capture"

// Point is one capture point as corr.ann knows it.
type Point struct {
	Name   string // corr.point
	Cell   string // what TSV outputs print in the capture column
	File   string // as given on the command line
	Frames uint32

	// Reference clock: ref = local - Offset - (local - At) * DriftPPM * 1e-6; ClockKnown false: unknown.
	ClockKnown bool
	At         capture.LocalTime
	Offset     int64 // ns
	DriftPPM   float64
	Steps      []ClockStep // further offsets that hold from a frame on, ascending
}

// ClockStep replaces Offset from frame From on: a clock that jumped back shows the same times twice.
type ClockStep struct {
	From   capture.FrameNo
	Offset int64
}

// Flow is what the frames of one conversation share.
type Flow struct {
	ID          uint32
	Path        string // corr.path of the initiator's direction: "client > fw-in > server"
	PathReverse string
	At          []FlowAt // one per point that saw it
}

// FlowAt is a conversation at one point. Durations are ns, -1 where unknown.
type FlowAt struct {
	Point                     int
	Stream                    int64 // Wireshark's tcp.stream or udp.stream; -1 none
	RTT, RTTClient, RTTServer int64
	// Src and Dst are the initiator's and the responder's address here; from them and the ports follow the texts of
	// changed addresses and ports (corr.changed.text). Empty where packets carry several: then Extra.ChangedText must.
	Src, Dst     string
	Sport, Dport uint16
}

// Class is what many frames have in common: there are few classes and many frames. Empty strings, empty lists and -1
// mean "not known" and give no field.
type Class struct {
	Reverse    bool   // the frame goes against the initiator's direction (selects Flow.PathReverse)
	Match      string // identical, rewritten, resegmented, relayed
	Fate       string
	FateWhere  string
	Origin     string
	Hops       int // -1 unknown
	HopsPeer   int
	TTLInitial int
	PeerPoint  int  // point of Frame.Peer, -1 none
	PeerDown   bool // that point comes after this one on the packet's path
	Middlebox  string
	Kinds      []string // corr.middlebox.kind
	Changed    []string // corr.changed
	Confidence int      // percent; -1 unknown
	DelayError int64    // ns; -1 unknown
}

// ClassID is a class registered with Writer.Class.
type ClassID uint32

// Frame is one frame's annotation.
type Frame struct {
	Time     capture.LocalTime
	Len      uint32 // original length
	Flow     uint32 // Flow.ID, 0 none
	Class    ClassID
	Peer     capture.FrameNo // at Class.PeerPoint; 0 none
	HasDelay bool
	Delay    int64  // ns between this frame and Peer, in the direction of travel
	Extra    *Extra // nil: nothing else to say; not kept after the call
}

// Extra holds what few frames have.
type Extra struct {
	Peers        []Peer   // further peers, beside Frame.Peer
	ChangedText  []string // corr.changed.text
	Message      string   // corr.message
	MessagePeers []Peer   // corr.message.peer; Match holds the kind (request, response, query, answer)
	Findings     []int    // indexes into Tables.Findings
	Logs         []int    // indexes into Tables.Logs
	// Tie is a digest (flow.Digest) of the frame's bytes, for frames that another one equals in time and length; 0: none.
	Tie uint32
}

// Peer is a counterpart of a frame at another point.
type Peer struct {
	Point      int
	Frame      capture.FrameNo
	Stream     int64 // -1: as the frame's flow says
	Down       bool  // that point comes after this one on the packet's path
	Match      string
	Confidence int
	HasDelay   bool
	Delay      int64
}

// Finding is a finding as frames refer to it.
type Finding struct {
	ID       string
	Severity string // error, warn, note, chat
	Title    string
}

// Log is a log record as frames refer to it.
type Log struct {
	Text   string
	Action string
}

// Tables are what frames refer to.
type Tables struct {
	Points   []Point
	Flows    []Flow // ascending ID
	Findings []Finding
	Logs     []Log
}
