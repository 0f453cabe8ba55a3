package model

// Version of the document.
const Version = 1

// Document is correlation.json.
type Document struct {
	Version   int        `json:"version"`
	Captures  []Capture  `json:"captures"`
	Segments  []Segment  `json:"segments"`
	Flows     []Flow     `json:"flows"`
	Relations []Relation `json:"relations"`
	Requests  []Request  `json:"requests,omitempty"`
	Findings  []Finding  `json:"findings"`
	Logs      []Log      `json:"logs"`
	Summary   Summary    `json:"summary"`
}

// Capture is one capture point.
type Capture struct {
	Name   string `json:"name"` // the point's label
	File   string `json:"file"` // as given on the command line
	Cell   string `json:"cell"` // what the TSV outputs print in the capture column: base name, or what tells it apart
	Frames int64  `json:"frames"`
	Order  int    `json:"order"` // from 0, client end of most conversations first
	Format string `json:"format"`
	Link   string `json:"link"`
	// Stranger: the capture shares no traffic with the others.
	Stranger bool   `json:"stranger,omitempty"`
	Clock    Clock  `json:"clock"`
	FirstNS  *int64 `json:"first_ns,omitempty"` // first and last frame, this capture's own clock
	LastNS   *int64 `json:"last_ns,omitempty"`
	// Throughput over time on the reference clock, for plots.
	Throughput []RatePoint `json:"throughput,omitempty"`
	// Notes name what the capturing host did to its capture, in words: nothing of it happened on the way.
	Notes []string `json:"notes,omitempty"`
	// Truncated says where a damaged file ends, in words; empty when whole.
	Truncated string           `json:"truncated,omitempty"`
	Fates     map[string]int64 `json:"fates,omitempty"` // frames by corr.fate
}

// Clock relates a capture's clock to that of the first capture in path order.
type Clock struct {
	OffsetS       *float64 `json:"offset_s"` // this clock minus the reference, at the first frame that both share
	OffsetErrorS  *float64 `json:"offset_error_s"`
	DriftPPM      *float64 `json:"drift_ppm"`
	DriftErrorPPM *float64 `json:"drift_error_ppm"`
	// AtNS is the instant, on this capture's clock, that OffsetS is true for.
	AtNS *int64 `json:"at_ns,omitempty"`
	// Steps are jumps of this clock against the reference.
	Steps []ClockStep `json:"steps,omitempty"`
	// Residuals of matched packets against the fitted line, thinned, for plots.
	Residuals []Residual `json:"residuals,omitempty"`
}

// ClockStep is a jump of a clock.
type ClockStep struct {
	AtNS  int64   `json:"at_ns"` // this capture's clock, before the jump
	StepS float64 `json:"step_s"`
}

// Residual is one matched packet's time on this clock minus that on the peer's, less what the fitted clocks say. A packet
// can't arrive before it was sent: those that come from the peer lie above 0, those that go there below.
type Residual struct {
	TimeNS  int64  `json:"time_ns"` // reference clock
	Delta   int64  `json:"delta_ns"`
	Forward bool   `json:"forward"` // toward the server end
	Peer    string `json:"peer"`    // capture it was compared with
}

// RatePoint is one bin of traffic.
type RatePoint struct {
	TimeNS  int64   `json:"time_ns"` // start of the bin, reference clock
	Frames  int64   `json:"frames"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // width
}

// Segment is the stretch between two neighbouring points.
type Segment struct {
	A           string      `json:"a"` // the end nearer to the client end of most conversations
	B           string      `json:"b"`
	Routers     *int        `json:"routers"` // that decrement the TTL between the points
	RoutersText string      `json:"routers_text,omitempty"`
	Middleboxes []Middlebox `json:"middleboxes"`
	Conditions  []string    `json:"conditions"`
	Delay       DelayPair   `json:"delay"`
	Lost        LossPair    `json:"lost"`
	Matched     int64       `json:"matched"`
}

// Middlebox is a device between two points that does more than forward.
type Middlebox struct {
	Kind       string            `json:"kind"`
	Name       string            `json:"name"` // in words: "TCP-terminating firewall (Check Point)"
	Vendor     string            `json:"vendor,omitempty"`
	Confidence int               `json:"confidence"`
	Changes    map[string]string `json:"changes"` // field → "1460 → 1300"
	Evidence   []Evidence        `json:"evidence"`
	// Routers between the stretch's ends and this device, null where unknown.
	RoutersFromA *int `json:"routers_from_a,omitempty"`
	RoutersFromB *int `json:"routers_from_b,omitempty"`
	Flows        int  `json:"flows"` // conversations it touches
	// Note says what can't be known because of it, in words.
	Note string `json:"note,omitempty"`
}

// DelayPair holds one-way delays of a stretch in both directions (Forward: a to b).
type DelayPair struct {
	Forward *Delay `json:"forward"`
	Reverse *Delay `json:"reverse"`
}

// Delay is a distribution of one-way delays, clock-corrected, in seconds.
type Delay struct {
	MinS    float64      `json:"min_s"`
	MedianS float64      `json:"median_s"`
	P99S    float64      `json:"p99_s"`
	MaxS    float64      `json:"max_s"`
	ErrorS  float64      `json:"error_s"` // bound of each of them
	Packets int64        `json:"packets"`
	Series  []DelayPoint `json:"series,omitempty"`
}

// DelayPoint is one bin of the delay over time.
type DelayPoint struct {
	TimeNS  int64   `json:"time_ns"` // reference clock
	MinS    float64 `json:"min_s"`
	MedianS float64 `json:"median_s"`
	MaxS    float64 `json:"max_s"`
	Packets int64   `json:"packets"`
}

// LossPair holds losses of a stretch in both directions (Forward: a to b).
type LossPair struct {
	Forward Loss `json:"forward"`
	Reverse Loss `json:"reverse"`
}

// Loss counts packets that should have passed and did not.
type Loss struct {
	Sent   int64       `json:"sent"`
	Lost   int64       `json:"lost"`
	Series []LossPoint `json:"series,omitempty"`
}

// LossPoint is one bin of the loss over time.
type LossPoint struct {
	TimeNS  int64   `json:"time_ns"` // start of the bin, reference clock
	Lost    int64   `json:"lost"`
	Seconds float64 `json:"seconds"` // width
}

// Flow is one conversation.
type Flow struct {
	ID          uint32         `json:"id"` // corr.flow
	Proto       string         `json:"proto"`
	Initiator   string         `json:"initiator"` // end of the path: client or server
	At          map[string]*At `json:"at"`        // by capture name; null where unseen
	Path        []string       `json:"path"`
	PathReverse []string       `json:"path_reverse"`
	Outcome     string         `json:"outcome"`
	ClosedBy    string         `json:"closed_by"`
	Confidence  int            `json:"confidence"` // of the pairing, percent
	// Evidence of the pairing between neighbouring points, in words, strongest first, and the runner-up where there was one.
	Evidence []string `json:"evidence,omitempty"`
	// App names what the conversation carries: "TLS 1.2 to skype.example", "HTTP GET /index", "DNS A example.org".
	App string `json:"app,omitempty"`
	RTT *RTT   `json:"rtt,omitempty"`
	// RTTSplit shares the shortest round trip seen out among the stretches, from the client's end to the server's.
	RTTSplit []RTTPart `json:"rtt_split,omitempty"`
	Again    []Again   `json:"sent_again,omitempty"`
	FirstNS  int64     `json:"first_ns"` // reference clock
	LastNS   int64     `json:"last_ns"`
	Findings []string  `json:"findings,omitempty"` // ids
	// Detail says in a sentence how it went.
	Detail string `json:"detail,omitempty"`
	// Ladder: packets in the order of time, for interesting conversations only.
	Ladder []Event `json:"ladder,omitempty"`
	// LadderSkipped counts packets left out of Ladder.
	LadderSkipped int `json:"ladder_skipped,omitempty"`
}

// At is a conversation as one capture shows it.
type At struct {
	Tuple  [4]any `json:"tuple"` // src, sport, dst, dport in the initiator's direction
	Stream *int64 `json:"stream"`
	Frames int64  `json:"frames"`
	First  uint32 `json:"first_frame"`
	Last   uint32 `json:"last_frame"`
	// Handshake facts, null where no SYN or SYN/ACK was seen.
	SYN    *Handshake `json:"syn,omitempty"`
	SYNACK *Handshake `json:"synack,omitempty"`
	// RTTS is the handshake's round trip seen here: to the server's side and to the client's side.
	RTTServerS *float64 `json:"rtt_server_s,omitempty"`
	RTTClientS *float64 `json:"rtt_client_s,omitempty"`
	// DataRTT are the round trips seen here all along, from data to its acknowledgement: to the server's side and to the
	// client's side.
	DataRTTServer *RoundTrips `json:"data_rtt_server,omitempty"`
	DataRTTClient *RoundTrips `json:"data_rtt_client,omitempty"`
	BytesF        int64       `json:"bytes_initiator"`
	BytesR        int64       `json:"bytes_responder"`
}

// RoundTrips sums up some round trips, seconds.
type RoundTrips struct {
	Count   int     `json:"count"`
	MinS    float64 `json:"min_s"`
	MedianS float64 `json:"median_s"`
	P99S    float64 `json:"p99_s"`
}

// RTTPart is the share of a round trip that the way from A to B and back takes, seconds: what A sees of the way to the
// server less what B sees. A or B is empty at the ends of the path: what lies between the end's network and the point.
type RTTPart struct {
	A string  `json:"a"`
	B string  `json:"b"`
	S float64 `json:"s"`
}

// Again is what became of the originals of segments that were sent again, as the point nearest to their sender saw them.
type Again struct {
	Dir      string      `json:"dir"`      // f: the initiator sent them, r: the other end
	Segments int         `json:"segments"` // data segments sent again
	Lost     []AgainLost `json:"lost,omitempty"`
	// The original arrived at the last point; its acknowledgement was lost on its way back, or was not.
	AckLost  int `json:"ack_lost"`
	Needless int `json:"needless"`
	Unknown  int `json:"unknown"`
}

// AgainLost counts originals that were lost on a stretch.
type AgainLost struct {
	A     string `json:"a"`
	B     string `json:"b"`
	Count int    `json:"count"`
}

// Handshake is what a SYN or SYN/ACK says.
type Handshake struct {
	Frame      uint32 `json:"frame"`
	ISN        uint32 `json:"isn"`
	MSS        *int   `json:"mss"`
	WScale     *int   `json:"wscale"`
	SACKPerm   bool   `json:"sack_permitted"`
	Timestamps bool   `json:"timestamps"`
	ECN        bool   `json:"ecn"`
	TTL        int    `json:"ttl"`
	IPID       *int   `json:"ipid"`
	Window     int    `json:"window"`
	DF         bool   `json:"df"`
	DSCP       int    `json:"dscp"`
	Options    string `json:"options"`               // kinds in order: "MSS SACK-permitted NOP WScale"
	OptionsCut bool   `json:"options_cut,omitempty"` // the snaplen cut the options: those that are not there may have been
	MAC        string `json:"mac,omitempty"`
	Vendor     string `json:"vendor,omitempty"` // maker of the network card that sent it
}

// RTT is a handshake round trip and its two parts, seconds.
type RTT struct {
	TotalS  float64  `json:"total_s"`
	ClientS *float64 `json:"client_s"`
	ServerS *float64 `json:"server_s"`
}

// Event is one packet on its way along the points.
type Event struct {
	Dir     string   `json:"dir"`   // f: from the initiator, r: back
	Label   string   `json:"label"` // SYN, ClientHello, 1448 bytes, ACK
	Len     int      `json:"len"`   // payload bytes
	Seen    []Seen   `json:"seen"`  // in the order of the packet's path
	Fate    string   `json:"fate,omitempty"`
	Where   string   `json:"where,omitempty"`
	Origin  string   `json:"origin,omitempty"`
	Match   string   `json:"match,omitempty"`
	Changed []string `json:"changed,omitempty"` // "tcp.options.wscale.shift: 8 → 3"
	// Retransmits is the index in the ladder of the packet that this one repeats, -1 for none.
	Retransmits int      `json:"retransmits"`
	Findings    []string `json:"findings,omitempty"`
}

// Seen is a packet at one point.
type Seen struct {
	Capture string `json:"capture"`
	Frame   uint32 `json:"frame"`
	TimeNS  int64  `json:"time_ns"` // reference clock
	ErrorNS int64  `json:"error_ns"`
}

// Relation ties a conversation in front of a proxy to one behind it where they are not one to one.
type Relation struct {
	Flows    [2]uint32 `json:"flows"`
	Kind     string    `json:"kind"` // pooled, multiplexed, forwarded
	Messages int       `json:"messages"`
}

// Request is a request that was tied across a proxy, or that the proxy answered itself, and where its time went. Of times
// that lie between two points ErrorS is the bound.
type Request struct {
	Flow       uint32     `json:"flow"`
	FlowBack   *uint32    `json:"flow_back"` // null: the proxy answered itself
	Front      RequestAt  `json:"front"`
	Back       *RequestAt `json:"back"`
	Confidence int        `json:"confidence"`
	// TotalS is from the request's first frame to the answer's last, in front of the proxy; ClientS the part of it in which
	// request and answer were still coming and going there, which is the client's network.
	TotalS  *float64 `json:"total_s"`
	ClientS *float64 `json:"client_s"`
	// RequestS is from the request's last frame in front to its first behind, BackendS from its last frame behind to the first of
	// the answer there, AnswerS from that to the answer's first in front.
	RequestS *float64 `json:"request_s"`
	BackendS *float64 `json:"backend_s"`
	AnswerS  *float64 `json:"answer_s"`
	ErrorS   *float64 `json:"error_s"`
}

// RequestAt is where a request begins at one point, and its answer, null for none.
type RequestAt struct {
	Capture string  `json:"capture"`
	Frame   uint32  `json:"frame"`
	Answer  *uint32 `json:"answer_frame"`
}

// Finding is one statement, with its proof.
type Finding struct {
	ID         string     `json:"id"`
	Severity   string     `json:"severity"` // error, warn, note, chat
	Confidence int        `json:"confidence"`
	Flows      []uint32   `json:"flows"`
	Segment    *[2]string `json:"segment"`
	Title      string     `json:"title"`
	Detail     string     `json:"detail"`
	Inferred   string     `json:"inferred,omitempty"`
	Next       string     `json:"next"`
	Evidence   []Evidence `json:"evidence"`
	Explains   []string   `json:"explains"`
}

// Evidence is one observation that can be looked up.
type Evidence struct {
	Capture string `json:"capture"`
	Frame   uint32 `json:"frame"` // 0: the statement is about no single frame
	Field   string `json:"field"` // Wireshark's name
	Value   string `json:"value"`
}

// Log is a record of a log tied to conversations.
type Log struct {
	File   string            `json:"file"`
	Line   int               `json:"line"`
	Format string            `json:"format"`
	TimeNS *int64            `json:"time_ns"` // reference clock
	Action string            `json:"action"`
	Reason string            `json:"reason,omitempty"`
	Text   string            `json:"text"`
	Flows  []uint32          `json:"flows"`
	Fields map[string]string `json:"fields,omitempty"`
}

// Summary counts what the lists may leave out when they are cut.
type Summary struct {
	Flows    int64            `json:"flows"` // all of them, also where the list is cut
	FlowsCut bool             `json:"flows_cut,omitempty"`
	Outcomes map[string]int64 `json:"outcomes"`
	// RequestsCut: only the slowest requests are listed.
	RequestsCut bool             `json:"requests_cut,omitempty"`
	Frames      int64            `json:"frames"`
	Matched     int64            `json:"matched"` // frames with a counterpart
	Oddities    map[string]int64 `json:"oddities,omitempty"`
	Notes       []string         `json:"notes,omitempty"` // of the job itself: how logs were read
	Generator   string           `json:"generator"`
}
