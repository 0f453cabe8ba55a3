// Package anonymise makes a document that can be shown to others.
//
// Takes: a model.Document and a key. Gives: the same document in which every IP address, MAC address, name and text of
// a log is replaced, the same by the same, so that what belongs together still does.
//
// IP addresses keep their prefixes: two that share their first n bits share n bits afterwards (Crypto-PAn). The maker's
// half of a MAC address stays, since the document names the maker anyway. Of application messages what protocols
// define stays (ClientHello, GET, 404), what people chose goes (host names, paths). What a log wrote goes whole.
//
// Never: touches captures or corr.ann, which only serves beside the captures.
package anonymise
