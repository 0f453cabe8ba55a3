// Package exchange ties requests and answers in front of a proxy to those behind it, where no byte of a packet survives.
//
// It takes matched captures (package match) and looks at the conversations that match could not join: TLS in front of a
// proxy and plain HTTP or TLS again behind it, connections that are pooled, DNS queries that a forwarder asks anew, SIP that
// a proxy sends on. It gives pairs of messages and of frames, conversations that carry on one another one to one (which it
// joins in the result), and relations of those that do not.
//
// What survives a proxy: the order in time (a request is passed on after it came, an answer before it goes back), sizes
// but for some header lines, and what proxies write into headers (X-Forwarded-For, Forwarded). Clocks need not be
// related: the offset at which most messages nest into each other is found on the way, and bounds the clocks; if one of
// them jumped, an offset in front of the jump and one behind it.
//
// HTTP/2 carries several exchanges at once. In the clear, or with keys, each stream is one; in TLS each record of a client
// that asks several things at once is, whose answer lies somewhere in what comes back: which connections go on in which can
// be told then where it can't be told which request is which.
//
// For a capture that is to be sealed (package index), Seal reads the exchanges of all conversations beforehand.
//
// It guarantees: what could be either of two is claimed for neither; same input, same output. It never decrypts.
package exchange
