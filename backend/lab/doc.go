// Package lab makes test traffic of which the truth is known.
//
// It takes recorded cases (a folder of captures and truth.json, see testdata/README.md) and derives others from them:
// other clocks, snaplens, containers, addresses, NAT, tunnels, losses, one Transform each, applied in any order. It
// also synthesises cases from a seed alone. It gives cases in the same form, so that whatever grades a recorded case
// grades a derived one.
//
// Truth is kept by pointers: a pair links two *Frame, and frames are numbered only when a case is written. So no
// transformation counts frames. The headers are read by this package's own small walker and not by package decode:
// what is tested must not also make the truth.
//
// The same seed gives the same bytes. Nothing outside tests, benchmarks and cmd/lab may import it.
package lab
