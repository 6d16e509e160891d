"""Optimisers, gradient clipping, schedules of the learning rate, averages of the weights."""

from .averages import EMA
from .base import NonFiniteGradient, Optimiser
from .clipping import clip_grad_norm, clip_grad_value, grad_norm
from .optimisers import SGD, Adam, Adamax, AdamW, RMSprop
from .schedules import constant, cosine, exponential_decay, step_decay, warmup, warmup_cosine
