module example/regularity

go 1.27
