"""Compares answers with llama.cpp's: agree.py MODEL.gguf PROMPTS TRACE [--raw].

PROMPTS has one prompt per line, `\\n` for a line break; TRACE is what the example `trace` of
comity-shard printed for them. Feeds llama.cpp our tokens and asks, position by position, whether it
would have chosen the same one, how far apart the largest eight logits are, and by how much it
prefers another.
"""

import json
import sys

import numpy
from llama_cpp import Llama
from llama_cpp.llama_chat_format import Jinja2ChatFormatter


def prompt_tokens(llm, line, template):
    """What llama.cpp's own tokenizer makes of a prompt."""
    if not template:
        return llm.tokenize(line.encode(), add_bos=True, special=False)
    names = [llm._model.token_get_text(token) for token in (llm.token_bos(), llm.token_eos())]
    chat = Jinja2ChatFormatter(template=template, bos_token=names[0], eos_token=names[1])
    text = chat(messages=[{"role": "user", "content": line}]).prompt
    return llm.tokenize(text.encode(), add_bos=False, special=True)


def compare(llm, ours):
    """Per position: whether the choices agree, the logits' distance, the preference in a miss."""
    prompt, answer = ours["prompt"], ours["answer"]
    llm.reset()
    llm.eval(prompt + answer)
    for index, (token, top) in enumerate(zip(answer, ours["top"])):
        scores = llm.scores[len(prompt) - 1 + index]
        theirs = scores[[int(entry[0]) for entry in top]]
        mine = numpy.array([entry[1] for entry in top])
        distance = numpy.abs(mine - mine.mean() - theirs + theirs.mean()).max()
        best = int(numpy.argmax(scores))
        yield best == token, float(distance), float(scores[best] - scores[token])


def main():
    model, prompts, trace = sys.argv[1:4]
    llm = Llama(model_path=model, n_ctx=2048, n_batch=2048, logits_all=True, verbose=False)
    template = None if "--raw" in sys.argv else llm.metadata.get("tokenizer.chat_template")
    lines = [line.rstrip("\n").replace("\\n", "\n") for line in open(prompts)]
    same, compared = 0, []
    for line, text in zip(lines, open(trace)):
        ours = json.loads(text)
        same += prompt_tokens(llm, line, template) == ours["prompt"]
        compared += compare(llm, ours)
    agreed = sum(agrees for agrees, _, _ in compared)
    distances = [distance for _, distance, _ in compared]
    print(f"prompts tokenized alike: {same} of {len(lines)}")
    print(f"same choice: {agreed} of {len(compared)}")
    print(f"distance of logits: median {numpy.median(distances):.3f}, most {max(distances):.3f}")
    print(f"largest preference in a miss: {max(preference for _, _, preference in compared):.3f}")


main()
