"""The public conformance suite for Jupyter kernels, against the installed kernelspec "nibble-lab".

Run with a Python that has jupyter_kernel_test and sees the kernelspec:
    python -m unittest discover -v test/kernel/jupyter-kernel-test
unittest counts subtests that fail; some pytest versions print PASSED for them.
"""

import unittest

import jupyter_kernel_test


class NibbleLabTests(jupyter_kernel_test.KernelTests):
    kernel_name = "nibble-lab"
    language_name = "typescript"
    file_extension = ".ts"

    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('on the error stream')"
    completion_samples = [
        {"text": "const greeting = 'hi'; greeti", "matches": {"greeting"}},
        {"text": "consol", "matches": {"console"}},
        {"text": "[1, 2].flatM", "matches": {"flatMap"}},
        {"text": "Math.hyp", "matches": {"hypot"}},
    ]
    complete_code_samples = ["1", "console.log('hello')", "function f(): number {\n  return 3;\n}", "await (async () => 3)()"]
    incomplete_code_samples = ["console.log('''.length", "function f(x: number) {", "const text = `one", "/* a comment", "[1, 2,"]
    invalid_code_samples = ["const = 3", "let x = = 3", "function 3() {}", "1 2"]
    code_page_something = "%help"
    code_generate_error = "throw new TypeError('on purpose')"
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "({ a: 1, b: [2, 3] })", "result": "{ a: 1, b: [ 2, 3 ] }"},
        {"code": "html`<b>bold</b>`", "result": "<b>bold</b>", "mime": "text/html"},
    ]
    code_display_data = [
        {"code": "display(html`<b>bold</b>`); undefined", "mime": "text/html"},
        {"code": "display(svg`<svg xmlns='http://www.w3.org/2000/svg'/>`); undefined", "mime": "image/svg+xml"},
        {"code": "display({ [Symbol.for('Jupyter.display')]: async () => ({ 'text/markdown': '*hi*' }) }); undefined", "mime": "text/markdown"},
    ]
    code_history_pattern = "6 ? *7"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "parseInt"
    code_clear_output = "clearOutput()"


class NibbleLabWelcomeTests(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "nibble-lab"
    support_iopub_welcome = True


del jupyter_kernel_test

if __name__ == "__main__":
    unittest.main()
