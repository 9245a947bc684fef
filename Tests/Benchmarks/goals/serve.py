"""Serves a model of a file over HTTP with llama.cpp, until it is killed; prints `url ADDRESS`."""

import os
import sys
import time

import xllamacpp


def main():
    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.port = 0
    parameters.n_ctx = 2 * 8192
    parameters.n_parallel = 2
    parameters.warmup = False
    parameters.cpuparams.n_threads = os.cpu_count() or 1
    parameters.use_jinja = True
    parameters.sampling.temp = 0
    server = xllamacpp.Server(parameters)
    print("url", server.listening_address, flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
