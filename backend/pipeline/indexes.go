package pipeline

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/index"
	"github.com/corr-dev/corr/backend/tlskey"
)

// indexed is the name of the capture that a file is an index of, "" for a file that is none.
func indexed(path string) string {
	if path == "-" {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var head [8]byte
	if n, _ := io.ReadFull(f, head[:]); !index.Is(head[:n]) {
		return ""
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return ""
	}
	file, err := index.File(f)
	if err != nil || file == "" {
		return filepath.Base(path) // reading it will tell
	}
	return filepath.Base(file)
}

// IsIndex reports whether a file is an index, which Wireshark can't open.
func IsIndex(path string) bool { return indexed(path) != "" }

// sealAll makes captures comparable with indexes, where there are any: by the key that those were made with.
func sealAll(in []*index.Sealed, keys *tlskey.Log, o Options) error {
	var with *index.Sealed
	for _, x := range in {
		switch {
		case x.Capture.Sealed == nil:
		case with == nil:
			with = x
		case with.Key != x.Key:
			return failed(1, "%s and %s were made with different keys and can't be compared: index both with one --key FILE", with.Capture.Path, x.Capture.Path)
		}
	}
	if with == nil {
		return nil
	}
	for i, x := range in {
		if x.Capture.Sealed != nil {
			continue
		}
		key, path, err := indexKey(o.IndexKey)
		if err != nil {
			return err
		}
		if key.ID() != with.Key {
			return failed(1, "%s was made with another key than %s: name its key with --key FILE, or index %s with it too", with.Capture.Path, path, x.Capture.Path)
		}
		in[i] = index.Seal(x.Capture, filepath.Base(x.Capture.Path), key, keys)
	}
	return nil
}

// indexKey reads a key file, or the user's own key, which is made if there is none.
func indexKey(path string) (*flow.Key, string, error) {
	if path != "" {
		key, err := index.LoadKey(path)
		if err != nil {
			return nil, path, failed(1, "%s", keyReason(path, err))
		}
		return key, path, nil
	}
	key, path, _, err := index.OwnKey()
	if err != nil {
		return nil, path, failed(1, "%s: no key for indexes can be read or made there (%s); name one with --key FILE", path, reason(err))
	}
	return key, path, nil
}

func keyReason(path string, err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return path + ": " + reason(err)
	}
	return err.Error()
}

// IndexOptions is one capture to index.
type IndexOptions struct {
	Path     string // "-": standard input
	Out      string // "": beside the capture, with .corridx for its ending
	Key      string // key file; "": the user's own
	Keylogs  []string
	Progress Progress
}

// Index writes an index of a capture, whole or not at all, and gives its path and that of the key.
func Index(ctx context.Context, o IndexOptions) (out, keyPath string, err error) {
	if o.Progress == nil {
		o.Progress = silent{}
	}
	if indexed(o.Path) != "" {
		return "", "", failed(1, "%s: is an index already", o.Path)
	}
	out = o.Out
	if out == "" {
		out = filepath.Join(filepath.Dir(o.Path), stem(base(o.Path))+".corridx")
	}
	if fi, err := os.Stat(out); err == nil && !overwritable(out, fi) {
		return "", "", failed(1, "%s: exists and is no index; choose another file with -o", out)
	}
	key, keyPath, err := indexKey(o.Key)
	if err != nil {
		return "", "", err
	}
	_, done, err := bound(0)
	if err != nil {
		return "", "", err
	}
	defer done()
	s, err := open(o.Path)
	if err != nil {
		return "", "", openError(o.Path, err)
	}
	defer s.close()
	o.Progress.Phase("reading", s.size)
	c, err := flow.Build(ctx, s.capture, flow.Options{PayloadBudget: flow.DefaultPayloadBudget, Advance: o.Progress.Advance})
	if err != nil {
		return "", "", first([]error{err})
	}
	c.Name, c.Path = stem(base(o.Path)), o.Path
	keys, err := keyLogs(Options{Keylogs: o.Keylogs}, []*flow.Capture{c})
	if err != nil {
		return "", "", err
	}
	o.Progress.Phase("sealing", 0)
	x := index.Seal(c, base(o.Path), key, keys)
	if err := ctx.Err(); err != nil {
		return "", "", err
	}
	o.Progress.Phase("writing", 0)
	if err := writeIndex(ctx, out, x); err != nil {
		return "", "", explainWrite(out, err)
	}
	return out, keyPath, nil
}

// overwritable reports whether a file that is in the way is an index.
func overwritable(path string, fi os.FileInfo) bool {
	return fi.Mode().IsRegular() && indexed(path) != ""
}

// writeIndex writes beside the place and moves what is finished there.
func writeIndex(ctx context.Context, path string, x *index.Sealed) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-")
	if err != nil {
		return err
	}
	tmp := f.Name()
	unfinished.Store(&tmp)
	defer func() {
		unfinished.Store(nil)
		if err != nil {
			err = errors.Join(err, os.Remove(tmp))
		}
	}()
	err = index.Write(f, x)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
