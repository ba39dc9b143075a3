module github.com/netverdict/netverdict/bindings/go

go 1.24
