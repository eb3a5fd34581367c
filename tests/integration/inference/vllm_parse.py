"""Run in a process of its own: parse command lines with vLLM's own parser.

Reads ``{name: [argument, ...]}`` as JSON from stdin and writes ``{name: {field: value}}``. A flag
that vLLM does not know, or a value that it refuses, ends the process with an error.
"""

import json
import sys

from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser


def main() -> None:
    """Parse everything and report what vLLM understood."""
    parsed = {}
    for name, arguments in json.load(sys.stdin).items():
        parser = make_arg_parser(FlexibleArgumentParser())  # type: ignore[no-untyped-call]
        args = parser.parse_args(arguments)
        validate_parsed_serve_args(args)
        engine = AsyncEngineArgs.from_cli_args(args)
        model = engine.create_model_config()
        parsed[name] = {
            "served_model_name": args.served_model_name,
            "max_model_len": model.max_model_len,
            "quantization": model.quantization,
            "rope": model.hf_config.rope_parameters,
            "tool_call_parser": args.tool_call_parser,
            "enable_auto_tool_choice": args.enable_auto_tool_choice,
            "enable_prefix_caching": engine.enable_prefix_caching,
            "shutdown_timeout": engine.shutdown_timeout,
            "generation_config": engine.generation_config,
            "kv_cache_dtype": engine.kv_cache_dtype,
            "attention_backend": str(engine.attention_backend),
            "chat_template": args.chat_template,
            "tokenizer_mode": engine.tokenizer_mode,
            "speculative": engine.speculative_config,
        }
    print("PARSED " + json.dumps(parsed, default=str))


if __name__ == "__main__":
    main()
