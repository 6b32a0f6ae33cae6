// Package store is the cloud's object store: data too large for a Kafka record, and products. It
// is gocloud.dev's blob, opened by URL: file:///dir, s3://bucket?region=…, gs://bucket,
// azblob://container. Writes are atomic: an object is there whole or not at all. And they are durable:
// when Put returns without an error, a loss of power does not take the object. Of a bucket of S3, GCS
// or Azure its answer says so; in a folder the object and the folders on the way to it are synced.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/gcsblob" // gs://
	_ "gocloud.dev/blob/s3blob"  // s3://
	"gocloud.dev/gcerrors"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/security"
)

// Store holds objects by key. Keys are slash-separated; safe for concurrent use.
type Store struct {
	bucket *blob.Bucket
	folder *folder // writes; nil: the bucket does
}

// Open opens the store at url. A file:// store's folder is made where it is missing.
func Open(ctx context.Context, address string) (*Store, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return nil, fmt.Errorf("object store %q is no URL: write file:///dir, s3://bucket, gs://bucket or azblob://container", security.Redact(address))
	}
	s := &Store{}
	if u.Scheme == fileblob.Scheme {
		if problem := FolderProblem(u); problem != "" {
			return nil, fmt.Errorf("object store %q: %s", address, problem)
		}
		s, err = openFolder(u.Path)
	} else {
		s.bucket, err = blob.OpenBucket(ctx, address)
	}
	if err != nil {
		return nil, fmt.Errorf("open the object store %s: %w", security.Redact(address), err)
	}
	return s, nil
}

// Folder is the folder of a folder store, or "" of a bucket.
func (s *Store) Folder() string {
	if s.folder == nil {
		return ""
	}
	return s.folder.root
}

// Put writes data under key, replacing what was there. When it returns nil the object is durable:
// whoever sent it may be told, and may forget it. After an error it may be there or not.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	write := s.upload
	if s.folder != nil {
		write = s.folder.put
	}
	if err := write(ctx, key, data); err != nil {
		return fmt.Errorf("write object %s: %w", key, err)
	}
	return nil
}

// upload writes an object into a bucket. WriteAll would digest it twice over; what is stored here
// carries its sha256 with it.
func (s *Store) upload(ctx context.Context, key string, data []byte) error {
	ctx, abandon := context.WithCancel(ctx)
	defer abandon()
	w, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return err
	}
	if _, err = w.Write(data); err != nil {
		abandon() // else Close would keep the half
	}
	return errors.Join(err, w.Close())
}

// Get reads the object under key, at most limit bytes. Its error is fs.ErrNotExist where there is none.
func (s *Store) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	r, err := s.bucket.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read object %s: %w", key, err)
	}
	defer r.Close()
	if r.Size() > limit {
		return nil, fmt.Errorf("read object %s: %w: it has %d bytes, more than %d", key, event.ErrTooLarge, r.Size(), limit)
	}
	data := make([]byte, r.Size())
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, fmt.Errorf("read object %s: %w", key, err)
	}
	return data, nil
}

// Range reads up to length bytes of the object under key from an offset on.
func (s *Store) Range(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	r, err := s.bucket.NewRangeReader(ctx, key, offset, length, nil)
	if err != nil {
		return nil, fmt.Errorf("read object %s from byte %d: %w", key, offset, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, length))
	if err != nil {
		return nil, fmt.Errorf("read object %s from byte %d: %w", key, offset, err)
	}
	return data, nil
}

// Fetch copies the object under key into a file.
func (s *Store) Fetch(ctx context.Context, key, path string) (err error) {
	r, err := s.bucket.NewReader(ctx, key, nil)
	if err != nil {
		return fmt.Errorf("read object %s: %w", key, err)
	}
	defer r.Close()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return fmt.Errorf("read object %s: %w", key, err)
	}
	return f.Close()
}

// Delete removes the object under key; one that is not there is no error. It is not synced: after a
// loss of power the object may be there again, so delete only what nobody would miss or mistake.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("delete object %s: %w", key, err)
	}
	return nil
}

// Keys lists the keys under a prefix, in order. What it lists is as durable as what Put wrote, also
// where the process that wrote it died before it could say so.
func (s *Store) Keys(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	list := s.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := list.Next(ctx)
		if err == io.EOF {
			return keys, s.durable(prefix, keys)
		}
		if err != nil {
			return nil, fmt.Errorf("list objects under %s: %w", prefix, err)
		}
		if !strings.HasSuffix(o.Key, "/") && !(s.folder != nil && hidden(o.Key)) {
			keys = append(keys, o.Key)
		}
	}
}

func (s *Store) durable(prefix string, keys []string) error {
	if s.folder == nil {
		return nil
	}
	if err := s.folder.durable(keys); err != nil {
		return fmt.Errorf("list objects under %s: %w", prefix, err)
	}
	return nil
}

// Close ends the connection.
func (s *Store) Close() error { return s.bucket.Close() }
