"""A real llama.cpp server with a tiny model made here, which needs no download.

    tiny_llama.py FILE.gguf

Writes the model to FILE.gguf unless it is there, serves it on a free port of this host with
llama.cpp's own HTTP server, and says "url http://127.0.0.1:PORT" on standard output.

The model reads the last character alone: it begins lists with an object or ends them, writes
short words of random letters into strings, and rather "finish" than "replan". Bound by a schema it writes plans that can be carried
out and have no meaning; bound by nothing it writes nonsense. It is llama.cpp that is real here.

Needs: pip install xllamacpp gguf numpy
"""

import os
import sys
import time

import gguf
import numpy

CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
EMBEDDING, HEADS, FORWARD, CONTEXT = 64, 4, 128, 32768


def vocabulary():
    """Tokens of a byte-level SentencePiece model: marks, all bytes, and printable ASCII."""
    kind = gguf.TokenType
    tokens = [(b"<unk>", kind.UNKNOWN), (b"<s>", kind.CONTROL), (b"</s>", kind.CONTROL)]
    tokens += [(b"<0x%02X>" % byte, kind.BYTE) for byte in range(256)]
    printable = [chr(code) if code != 0x20 else "\u2581" for code in range(0x20, 0x7F)]
    tokens += [(text.encode(), kind.NORMAL) for text in printable]
    return tokens


def habits(tokens):
    """Weights with which each character is likely after some and unlikely after others."""
    words = "abcdefghijklmnopqrstuvwxyz0123456789"
    likely = {  # After each of these characters: how likely others are, as logits.
        "[": {"{": 12, "]": 6},
        "}": {"]": 9, ",": 9},
        '"': {**dict.fromkeys(words, 8), "f": 14, "]": 4, "}": 4, ",": 4, ":": 4},
        ":": {'"': 12, "[": 12, "{": 12},
        ",": {'"': 12, "{": 12},
        **dict.fromkeys(words, {**dict.fromkeys(words, 5), '"': 7}),
    }
    embedding = numpy.zeros((len(tokens), EMBEDDING), numpy.float32)
    output = numpy.zeros((len(tokens), EMBEDDING), numpy.float32)
    for place, last in enumerate(likely):
        embedding[tokens.index(last), place] = 1
        for text, logit in likely[last].items():
            # The norm before the output makes a single 1 of 64 numbers an 8.
            output[tokens.index(text), place] = logit / 8
    # Whatever else comes last leaves the choice to chance.
    for place in range(len(tokens)):
        if not embedding[place].any():
            embedding[place, EMBEDDING - 1] = 1
    return embedding, output


def write(path):
    tokens = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(1)
    writer.add_feed_forward_length(FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_scores([-1.0 if kind == gguf.TokenType.NORMAL else 0.0 for _, kind in tokens])
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_chat_template(CHAT)
    embedding, output = habits([text.decode() for text, _ in tokens])
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output.weight", output)
    # A block that adds nothing.
    for name, shape in {
        "attn_q": (EMBEDDING, EMBEDDING),
        "attn_k": (EMBEDDING, EMBEDDING),
        "attn_v": (EMBEDDING, EMBEDDING),
        "attn_output": (EMBEDDING, EMBEDDING),
        "ffn_gate": (FORWARD, EMBEDDING),
        "ffn_up": (FORWARD, EMBEDDING),
        "ffn_down": (EMBEDDING, FORWARD),
    }.items():
        writer.add_tensor(f"blk.0.{name}.weight", numpy.zeros(shape, numpy.float32))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", numpy.ones(EMBEDDING, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def serve(path):
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.port = 0
    parameters.n_ctx = 2 * 8192
    parameters.n_parallel = 2
    parameters.warmup = False
    parameters.cpuparams.n_threads = 1
    parameters.n_predict = 2048
    parameters.use_jinja = True
    parameters.sampling.temp = 0.8
    parameters.sampling.seed = 42
    server = xllamacpp.Server(parameters)
    print("url", server.listening_address, flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    if not os.path.exists(sys.argv[1]):
        write(sys.argv[1])
    serve(sys.argv[1])
