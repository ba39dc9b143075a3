module example.com/shop

go 1.24

require github.com/netverdict/netverdict/bindings/go v0.1.0
