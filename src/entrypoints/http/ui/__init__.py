"""
The dashboard: pages under ``/ui`` for people who would rather look than read, over the use cases of the API.

Every page and action works without script. A page is a route and a handler here, a template, and a test; templates hold
no logic, and no style or script of their own.
"""
