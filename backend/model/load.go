package model

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FileName is the document's name in a result directory.
const FileName = "correlation.json"

// CheckDir says whether dir looks like a result directory; the error names what is wrong and what to do.
func CheckDir(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: no such directory; corr correlate CAPTURE CAPTURE -o %s makes it", dir, dir)
	case err != nil:
		return err
	case !st.IsDir():
		return fmt.Errorf("%s: not a directory; name the one that corr correlate made", dir)
	}
	_, err = os.Stat(filepath.Join(dir, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: holds no %s, so corr did not make it; name the directory that corr correlate made", dir, FileName)
	}
	return err
}

// Load reads the document of the result directory dir.
func Load(dir string) (*Document, error) {
	if err := CheckDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, FileName)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := Decode(bufio.NewReaderSize(f, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("%s: %w; run corr correlate again", path, err)
	}
	return d, nil
}

// Errors of Decode.
var (
	ErrNotDocument = errors.New("not a correlation.json")
	ErrVersion     = errors.New("made by another version of corr")
)

// Decode reads a document. Fields it doesn't know are passed over: newer programs of the same Version may write more.
func Decode(r io.Reader) (*Document, error) {
	d := new(Document)
	if err := json.NewDecoder(r).Decode(d); err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrNotDocument, err)
	}
	switch {
	case d.Version == 0:
		return nil, fmt.Errorf("%w: it has no version", ErrNotDocument)
	case d.Version != Version:
		return nil, fmt.Errorf("%w: document version %d, this one reads %d", ErrVersion, d.Version, Version)
	}
	return d, nil
}
