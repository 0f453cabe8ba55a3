// Package tlskey opens TLS records, and QUIC's packets with short headers, with the secrets of a key log.
//
// It takes key logs (SSLKEYLOGFILE format, draft-ietf-tls-keylogfile) and the records or packets of one direction of a
// connection, and gives their plaintext. It speaks TLS 1.3, the AEAD suites of TLS 1.2, and QUIC 1 and 2; of others it opens
// nothing. What is opened lives
// in memory only: it never writes keys or plaintext anywhere.
package tlskey
