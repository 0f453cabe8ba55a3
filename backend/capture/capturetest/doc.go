// Package capturetest writes capture files for tests: every variant that package capture reads, and broken ones.
//
// It takes frames and gives the bytes of a pcap or pcapng file, the same for the same calls. Errors of the writer
// underneath are kept and returned by Close. It never reads captures, and nothing but tests and generators of test
// traffic may import it.
package capturetest
