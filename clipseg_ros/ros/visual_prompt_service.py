# SPDX-License-Identifier: Apache-2.0
"""The service ~/set_visual_prompt: a picture gets a name, and `@name` is a prompt from then on."""
from __future__ import annotations

from rclpy.node import Node

from clipseg_ros.ros.prompt_store import PromptStore
from clipseg_ros.ros.segment_service import visual_prompt
from clipseg_ros.srv import SetVisualPrompt


class VisualPromptService:
    """Puts named pictures into the store; it may be called in any state of the node."""

    def __init__(self, node: Node, *, store: PromptStore) -> None:
        self._node = node
        self._store = store
        node.create_service(SetVisualPrompt, "~/set_visual_prompt", self._serve)

    def _serve(self, request: SetVisualPrompt.Request, response: SetVisualPrompt.Response) -> SetVisualPrompt.Response:
        try:
            prompt = visual_prompt(request.image, request.mask)
            if prompt is None:
                raise ValueError("the visual prompt is empty: it needs an image")
            self._store.set_visual(request.name, prompt)
        except ValueError as error:
            response.message = str(error)
        except Exception as error:  # whatever a request causes, the node lives on
            response.message = f"the request failed: {type(error).__name__}: {error}"
            self._node.get_logger().error(f"set_visual_prompt: {response.message}")
        else:
            response.success = True
            response.message = f"@{request.name} is a prompt now"
        return response
