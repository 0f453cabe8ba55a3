// Package message says what application message begins in, or is carried by, some payload bytes.
//
// It takes the payload of one segment or datagram (Sniff, Name, NameAs) or one direction of a TCP stream in order,
// with gaps (Stream). It gives the protocol, the messages' names as RFCs and Wireshark have them, and the facts that
// tie a message to its counterpart behind a proxy: server name, Host, Call-ID, DNS id, X-Request-ID, stream extents.
//
// It guarantees: it never fails and never panics, whatever the bytes; time is linear and memory bounded (bodies are
// not kept, text is cut at MaxText bytes); Sniff allocates nothing; results hold no reference to the input. What a
// protocol is, its bytes say: ports decide only between readings that the bytes allow equally, and admit messages
// too short to speak for themselves (NTP, later SMTP lines, QUIC short headers).
//
// Text is kept raw as it was in the capture: it may hold control characters and need not be UTF-8. Printers pass it
// through Escape. Passwords of FTP, POP, IMAP, SMTP, SOCKS and SNMP communities are never taken over.
//
// It never knows packets, captures, addresses or directions beyond what its arguments say, never decrypts but QUIC's
// Initial packets (whose keys are public, RFC 9001 §5.2), and never reports a message that it merely supposes.
package message
