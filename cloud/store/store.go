// Package store is the cloud's object store: large data by reference, and products. It is
// gocloud.dev's blob, opened by URL: file:///dir, s3://bucket, gs://bucket, azblob://container.
package store
