package lab

// Options of a case made from nothing.
type Options struct{}

// Random makes a case from a seed.
func Random(seed int64, o Options) *Case { return &Case{} }
