module github.com/corr-dev/corr

go 1.26
