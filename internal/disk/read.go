package disk

// Tested by task_test.go.

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// ErrNotRegular is that a name leads to something else than a regular file: to a pipe, a socket, a device, a directory.
var ErrNotRegular = errors.New("it is not a regular file")

// Open opens a regular file or a pipe without waiting, and tells what it is. Nothing else is opened: of a device, that
// alone may do something. What has been opened is asked again, because the name may lead elsewhere the next moment.
func (r *Run) Open(name string) (*os.File, fs.FileInfo, error) {
	if err := r.At(name); err != nil {
		return nil, nil, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if info.Mode()&fs.ModeType&^fs.ModeNamedPipe != 0 {
		return nil, nil, ErrNotRegular
	}
	// A pipe may never get a writer, and another program may hold a lease on the file.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err == nil && info.Mode()&fs.ModeType&^fs.ModeNamedPipe != 0 {
		err = ErrNotRegular
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// chunk is how much is asked for at a time. Each answer of a slow disk shows that it is one.
const chunk = 1 << 20

// Read reads a regular file to its end, but at most limit bytes and one, by which a larger file is known.
func (r *Run) Read(f *os.File, info fs.FileInfo, limit int64) ([]byte, error) {
	// One byte more than the size shows the end without growing.
	data := make([]byte, 0, min(max(info.Size(), 0), limit)+1)
	for int64(len(data)) <= limit {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		// Some files that are none (/proc/kmsg) tell when they have something to say, and can be waited for with a limit.
		_ = f.SetReadDeadline(time.Now().Add(Silence))
		room := min(int64(cap(data)-len(data)), limit+1-int64(len(data)), chunk)
		n, err := f.Read(data[len(data) : int64(len(data))+room])
		data = data[:len(data)+n]
		switch {
		case err == io.EOF:
			return data, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, &SilentError{Name: f.Name(), After: Silence}
		case err != nil:
			return nil, err
		}
		if err := r.step(func() {}); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// ReadFile reads a regular file, but at most limit bytes and one. It returns ErrNotRegular for what is none.
func ReadFile(t *Task, name string, limit int64) ([]byte, error) {
	return Do(t, func(r *Run) ([]byte, error) {
		f, info, err := r.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if !info.Mode().IsRegular() {
			return nil, ErrNotRegular
		}
		return r.Read(f, info, limit)
	})
}
