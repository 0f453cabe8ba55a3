package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/anonymise"
	"github.com/corr-dev/corr/backend/compose"
	"github.com/corr-dev/corr/backend/model"
	"github.com/corr-dev/corr/backend/report"
	"github.com/corr-dev/corr/luagen"
)

// directory is where results go.
type directory struct {
	path     string
	replaces bool // an earlier result of corr lies there
}

// made are the files that tell a directory which corr made from any other. An earlier result may lack later ones.
var made = []string{"corr.ann", "corr.lua", "correlation.json"}

// prepare checks, before any work, that the result can go where it is wanted.
func prepare(path string, inputs []Input) (*directory, error) {
	if path == "" {
		path = "corr-out"
	}
	d := &directory{path: filepath.Clean(path)}
	fi, err := os.Stat(d.path)
	switch {
	case os.IsNotExist(err):
		if parent := filepath.Dir(d.path); parent != "." {
			if fi, err := os.Stat(parent); err != nil || !fi.IsDir() {
				return nil, failed(1, "%s: the folder %s does not exist; make it first (mkdir -p), or choose another with -o", d.path, parent)
			}
		}
		return d, nil
	case err != nil:
		return nil, failed(1, "%s: %s", d.path, reason(err))
	case !fi.IsDir():
		return nil, failed(1, "%s: is a file, no folder of results; choose another with -o", d.path)
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, failed(1, "%s: %s", d.path, reason(err))
	}
	for _, m := range made {
		if _, err := os.Stat(filepath.Join(d.path, m)); err != nil && len(entries) > 0 {
			return nil, failed(1, "%s: exists and was not made by corr (it has no %s); choose another folder with -o", d.path, m)
		}
	}
	for _, in := range inputs {
		if inside(in.Path, d.path) {
			return nil, failed(1, "%s: lies in %s, which would be replaced; choose another folder with -o", in.Path, d.path)
		}
	}
	d.replaces = true
	return d, nil
}

// inside reports whether a file lies in a folder, through any links.
func inside(file, folder string) bool {
	if file == "-" {
		return false
	}
	f, err := filepath.EvalSymlinks(file)
	if err != nil {
		return false
	}
	d, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return false
	}
	if f, err = filepath.Abs(f); err != nil {
		return false
	}
	if d, err = filepath.Abs(d); err != nil {
		return false
	}
	return strings.HasPrefix(f, d+string(filepath.Separator))
}

// unfinished begins the name of a result in the making.
func (d *directory) unfinished() string { return "." + filepath.Base(d.path) + ".new-" }

// abandoned is the age from which nobody works on an unfinished result any more.
const abandoned = 24 * time.Hour

// sweep removes what killed runs left beside the place. That it can't is no reason to fail.
func (d *directory) sweep() {
	left, err := filepath.Glob(filepath.Join(filepath.Dir(d.path), d.unfinished()+"*"))
	if err != nil {
		return // a name with wildcards in it
	}
	for _, path := range left {
		if fi, err := os.Stat(path); err == nil && fi.IsDir() && time.Since(fi.ModTime()) > abandoned {
			_ = os.RemoveAll(path)
		}
	}
}

// unfinished is the folder of a result in the making, nil for none.
var unfinished atomic.Pointer[string]

// Abandon removes what an unfinished job has written, for a program that must end at once.
func Abandon() {
	if path := unfinished.Load(); path != nil {
		_ = os.RemoveAll(*path) // there is nobody left to tell
	}
}

// write makes the result beside its place and moves it there in one step.
func write(ctx context.Context, d *directory, in *compose.Input, key *[anonymise.KeySize]byte) (doc *model.Document, err error) {
	d.sweep()
	tmp, err := os.MkdirTemp(filepath.Dir(d.path), d.unfinished())
	if err != nil {
		return nil, err
	}
	unfinished.Store(&tmp)
	defer func() {
		unfinished.Store(nil)
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	if err := os.Chmod(tmp, 0o755); err != nil {
		return nil, err
	}
	if doc, err = writeAll(ctx, tmp, in, key); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return doc, d.moveIn(tmp)
}

// writeAll writes all files, side by side.
func writeAll(ctx context.Context, dir string, in *compose.Input, key *[anonymise.KeySize]byte) (*model.Document, error) {
	w, err := annotate.Create(filepath.Join(dir, "corr.ann"), in.Tables())
	if err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	var failed [5]error
	wg.Go(func() { failed[0] = errors.Join(in.Frames(ctx, w), w.Close()) })
	wg.Go(func() {
		failed[1] = create(filepath.Join(dir, "corr.lua"), func(f *os.File) error { return luagen.Generate(f, luagen.Options{Work: dir}) })
	})
	wg.Go(func() { failed[2] = writeProfile(filepath.Join(dir, "profile")) })
	doc := in.Document()
	if key != nil {
		err = anonymise.Document(doc, *key)
	}
	if err == nil {
		wg.Go(func() {
			failed[3] = create(filepath.Join(dir, "correlation.json"), func(f *os.File) error { return doc.Write(f) })
		})
		failed[4] = create(filepath.Join(dir, "report.html"), func(f *os.File) error { return report.HTML(f, doc, report.HTMLOptions{}) })
	}
	wg.Wait()
	return doc, errors.Join(err, errors.Join(failed[:]...))
}

func writeProfile(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	return luagen.WriteProfile(path)
}

// create writes a file.
func create(path string, fill func(*os.File) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		_ = f.Close() // the first error tells more
		return err
	}
	return f.Close()
}

// moveIn puts the finished folder in its place. An earlier result is exchanged in one step where the system can, after the
// new one is down on the disk: else a power cut could take both. Where there is none nothing is lost but a job to do again,
// and waiting for the disk would take as long as the job.
func (d *directory) moveIn(tmp string) error {
	if !d.replaces {
		return os.Rename(tmp, d.path)
	}
	if err := force(tmp); err != nil {
		return err
	}
	if err := swap(tmp, d.path); err == nil {
		// tmp now holds what was there before.
		return os.RemoveAll(tmp)
	}
	old := tmp + ".old"
	if err := os.Rename(d.path, old); err != nil {
		return err
	}
	if err := os.Rename(tmp, d.path); err != nil {
		return errors.Join(err, os.Rename(old, d.path))
	}
	return os.RemoveAll(old)
}

// force has the disk hold all files of a folder.
func force(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		err = f.Sync()
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
			err = nil // some file systems can't for folders
		}
		return errors.Join(err, f.Close())
	})
}

// explainWrite words what keeps a result from being written.
func explainWrite(path string, err error) error {
	var e *Error
	switch {
	case cancelled(err) || errors.As(err, &e):
		return err
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return failed(1, "%s: the disk is full; nothing was written, free some space or choose another folder with -o", path)
	case os.IsPermission(err) || errors.Is(err, syscall.EROFS):
		return failed(1, "%s: can't be written by this user; choose another folder with -o", path)
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		return failed(1, "%s: %s; nothing was written", path, pe.Err)
	}
	return failed(1, "%s: %s; nothing was written", path, firstLine(err))
}

func firstLine(err error) string {
	s, _, _ := strings.Cut(fmt.Sprint(err), "\n")
	return s
}
